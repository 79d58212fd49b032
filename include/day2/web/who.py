"""Who asks: a scraper with the token of the connection `day2_scrape`, or somebody who is signed in to Airflow."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials

from day2.airflow import connections

CONNECTION = "day2_scrape"
# A token that can be guessed is none.
SHORTEST = 16
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]


@dataclass(frozen=True)
class Reader:
    """Who reads metrics: no user is the scraper, who may read all of them."""

    user: Any = None

    def may_read(self, environment: str) -> bool:
        """Whether an environment's values are for them: who may see its health check may see what it saw."""
        if self.user is None:
            return True
        details = DagDetails(id=f"health_check.{environment}")
        allowed: bool = get_auth_manager().is_authorized_dag(method="GET", details=details, user=self.user)
        return allowed


async def reader(request: Request, given: Given) -> Reader:
    """Who asks. 401 for nobody, and for whoever brings a token that is neither the scraper's nor Airflow's."""
    if given is not None:
        scraper: bool = await run_in_threadpool(is_scrapers, given.credentials)
        if scraper:
            return Reader()
    try:
        return Reader(await get_user(request, None, given))
    except HTTPException as error:
        raise HTTPException(401, "sign in, or send the scraper's token", {"WWW-Authenticate": "Bearer"}) from error


def is_scrapers(token: str) -> bool:
    """Whether it is the scraper's token. Takes as long for a token that is nearly right."""
    expected = connections.token(CONNECTION) or ""
    return len(expected) >= SHORTEST and hmac.compare_digest(token.encode(), expected.encode())


ReaderDep = Annotated[Reader, Depends(reader)]
