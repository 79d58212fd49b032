# The official Airflow image, with this suite, the packages it was tested with, and PostgreSQL's programs.
FROM apache/airflow:3.3.2-python3.11

# A restore test starts a real server on the worker: one of each major version that is backed up, with the
# locales its databases were made with. Debian has version 15; for another one PostgreSQL's own repository
# is added, unless the base image has it already.
ARG POSTGRESQL_MAJORS="15"
ARG LOCALES="en_US"
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends locales postgresql-common \
 && for locale in $LOCALES; do localedef -i "$locale" -f UTF-8 "$locale.UTF-8"; done \
 && sed -i -E 's/^#?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
 && for major in $POSTGRESQL_MAJORS; do \
      packages="$packages postgresql-$major"; \
      apt-cache show "postgresql-$major" >/dev/null 2>&1 || missing=yes; \
    done \
 && if [ "$missing" ]; then /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y; fi \
 && apt-get install --yes --no-install-recommends $packages \
 && rm -rf /var/lib/apt/lists/*

# A complete lock, so nothing is resolved: what the image has in the same version stays, the rest is replaced.
USER airflow
COPY compose/requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/requirements.txt

# The code belongs to root, and the processes that run it are not root: they cannot change it.
USER root
COPY . /opt/airflow/
# Compiled here, because it cannot be later. Group 0 writes: any user id of that group can run this image.
RUN mkdir -p /opt/airflow/plugins /opt/airflow/inventory \
 && chmod -R a+rX /opt/airflow/compose /opt/airflow/dags /opt/airflow/include /opt/airflow/plugins \
 && install -d -o airflow -g 0 -m 0770 /opt/airflow/scratch \
 && env -u PYTHONDONTWRITEBYTECODE python -m compileall -q /opt/airflow/dags /opt/airflow/include /opt/airflow/plugins
USER airflow

ENV PYTHONPATH=/opt/airflow/include \
    DAY2_HOME=/opt/airflow/inventory \
    DAY2_SCRATCH=/opt/airflow/scratch

# Last: it changes with every commit. Every run's record names it.
ARG DAY2_COMMIT=""
ENV DAY2_COMMIT=$DAY2_COMMIT
