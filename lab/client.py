"""Airflow's REST API as one of the lab's accounts: trigger a run and watch it."""

from __future__ import annotations

import time
from typing import Any

import httpx

from day2.errors import StepFailed, Unavailable

PARSE_SECONDS = 120


class Client:
    """A session of one account. Not through a proxy: the server is on loopback."""

    def __init__(self, url: str, *, account: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        answer = self._http.post("/auth/token", json={"username": account, "password": password})
        if answer.status_code != httpx.codes.CREATED:
            raise StepFailed(f"Airflow refused the account `{account}`: {answer.text[:300]}", target=url)
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """GET /api/v2<path>. Raises StepFailed with the server's answer."""
        return self._answer(self._http.get(f"/api/v2{path}", params=params))

    def wait_for_dag(self, dag: str) -> None:
        """Wait until the DAG has been parsed. Raises Unavailable with the import errors, if that is why."""
        deadline = time.monotonic() + PARSE_SECONDS
        while self._http.get(f"/api/v2/dags/{dag}").status_code == httpx.codes.NOT_FOUND:
            if errors := self.get("/importErrors")["import_errors"]:
                told = "; ".join(
                    f"{each['filename']}: {each['stack_trace'].strip().splitlines()[-1]}" for each in errors
                )
                raise StepFailed(f"a DAG file cannot be imported: {told}", target=dag)
            if time.monotonic() > deadline:
                raise Unavailable(f"no such DAG after {PARSE_SECONDS} s", target=dag, next_step="look in dags/")
            time.sleep(0.5)

    def unpause(self, dag: str) -> None:
        """Let its schedule, or an event, start it."""
        self._answer(self._http.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}))

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Unpause the DAG, start a run and return its id."""
        self.unpause(dag)
        body = {"logical_date": None, "conf": conf}
        run: str = self._answer(self._http.post(f"/api/v2/dags/{dag}/dagRuns", json=body))["dag_run_id"]
        return run

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """The run's task instances, mapped ones singly."""
        found = self.get(f"/dags/{dag}/dagRuns/{run}/taskInstances", limit=1000)
        tasks: list[dict[str, Any]] = found["task_instances"]
        return tasks

    def errors(self, task: dict[str, Any]) -> list[str]:
        """The error lines of a task instance's newest log."""
        path = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        log = self.get(f"{path}/logs/{task['try_number']}", map_index=task["map_index"], full_content=True)
        lines = [line for line in log["content"] if isinstance(line, dict)]
        return [line["event"] for line in lines if line.get("level") in ("error", "critical")]

    def asked(self, task: dict[str, Any]) -> dict[str, Any]:
        """What a task instance asks people: subject, body, options, form."""
        return self.get(_question(task))

    def respond(self, task: dict[str, Any], option: str, form: dict[str, Any]) -> None:
        """Choose an option for what a task instance asks."""
        body = {"chosen_options": [option], "params_input": form}
        self._answer(self._http.patch(f"/api/v2{_question(task)}", json=body))

    def _answer(self, answer: httpx.Response) -> dict[str, Any]:
        if not answer.is_success:
            said = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
            raise StepFailed(f"Airflow answered {said}", target="Airflow")
        body: dict[str, Any] = answer.json()
        return body


def _question(task: dict[str, Any]) -> str:
    place = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
    return f"{place}/{task['map_index']}/hitlDetails"
