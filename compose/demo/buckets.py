"""The demo's buckets. Their owner makes them: Day 2 may write into buckets, never make or remove one."""

from __future__ import annotations

import os

# Name, and whether it locks what is written: nobody can delete it before its time, not even its owner.
BUCKETS = {"day2-backups": False, "day2-vault": True}


def main() -> None:
    """Make the buckets that do not exist yet, with versions kept."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        region_name="eu-west-1",
        aws_access_key_id="demo-admin",
        aws_secret_access_key=os.environ["DEMO_S3_ADMIN_KEY"],
    )
    having = {each["Name"] for each in client.list_buckets()["Buckets"]}
    for name, lock in BUCKETS.items():
        if name not in having:
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            print("made the bucket", name)  # noqa: T201


if __name__ == "__main__":
    main()
