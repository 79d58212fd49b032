"""What the DAGs share: their common settings, the steps every operation has, and Airflow's connections."""
