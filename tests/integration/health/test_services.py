"""Messages by services of others, over HTTP: SNS as moto has it (simulated), and whatever Apprise knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from day2.errors import StepFailed, Unavailable
from day2.operations.health_check import senders
from day2.operations.health_check.messages import Message
from lab.ports import LOOPBACK, free_port

BAD = Message("production", "critical", "[CRITICAL] production: disk of /data is 92 %", "what to do", ("production/x",))


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    port = free_port()
    server = ThreadedMotoServer(LOOPBACK, port, verbose=False)
    server.start()
    yield port
    server.stop()


@pytest.fixture
def service() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Takes JSON: its port, and what it took."""
    taken: list[dict[str, Any]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """A test's output is its failures."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], taken
    server.shutdown()
    server.server_close()


def client(port: int, name: str) -> Any:
    where = {"endpoint_url": f"http://{LOOPBACK}:{port}", "region_name": "eu-west-1"}
    return boto3.client(name, aws_access_key_id="a", aws_secret_access_key="b", **where)


def test_who_follows_a_topic_of_sns_gets_the_message(moto: int) -> None:
    topics, queues = client(moto, "sns"), client(moto, "sqs")
    topic = topics.create_topic(Name="on-call")["TopicArn"]
    queue = queues.create_queue(QueueName="pager")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    receipt = senders.sns(topics, topic, BAD)
    [got] = queues.receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(got["Body"])
    assert (body["MessageId"], body["Subject"], body["Message"]) == (receipt, BAD.title, BAD.body)


def test_a_topic_that_is_not_there_is_refused(moto: int) -> None:
    with pytest.raises(StepFailed, match="SNS refused"):
        senders.sns(client(moto, "sns"), "arn:aws:sns:eu-west-1:123456789012:nobody", BAD)


def test_apprise_gives_it_to_a_service_by_its_url(service: tuple[int, list[dict[str, Any]]]) -> None:
    port, taken = service
    assert senders.apprise(f"json://{LOOPBACK}:{port}/alerts", BAD) == "taken"
    [got] = taken
    assert (got["title"], got["message"], got["type"]) == (BAD.title, BAD.body, "failure")


def test_a_service_of_apprise_that_is_down_did_not_take_it() -> None:
    with pytest.raises(Unavailable, match="json did not take it"):
        senders.apprise(f"json://{LOOPBACK}:{free_port()}/alerts", BAD)
