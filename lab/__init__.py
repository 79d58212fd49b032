"""A real fleet on one machine: PostgreSQL servers, S3 endpoints and Airflow, for the demo and the tests."""
