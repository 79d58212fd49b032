"""`python -m bench.upload ENDPOINT s3://bucket/key`: stdin to S3 with the library's default settings."""

from __future__ import annotations

import sys
from urllib.parse import urlparse

import boto3

if __name__ == "__main__":
    place = urlparse(sys.argv[2])
    client = boto3.client("s3", endpoint_url=sys.argv[1])
    client.upload_fileobj(sys.stdin.buffer, place.netloc, place.path.lstrip("/"))
