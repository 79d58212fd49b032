"""Day 2's application in the API server, at /day2. Nothing in it is open: every route asks who is there."""

from __future__ import annotations

from fastapi import FastAPI

from day2.web import metrics

# No generated documentation: it would be open.
app = FastAPI(title="Day 2", docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(metrics.router)
