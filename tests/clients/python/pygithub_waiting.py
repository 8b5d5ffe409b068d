"""PyGithub when the limits are used up in the middle of its work, a secondary limit is hit, and a
server fails: its GithubRetry waits as it would for GitHub."""

import logging

import github
from flow import BASE_URL, FULL_NAME, TOKEN, show


class Waits(logging.Handler):
    """What GithubRetry says that it does."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


waits = Waits()
logger = logging.getLogger("github.GithubRetry")
logger.addHandler(waits)
logger.setLevel(logging.INFO)
retry = github.GithubRetry(total=10, backoff_factor=0.1, secondary_rate_wait=1)
api = github.Github(
    base_url=BASE_URL, auth=github.Auth.Token(TOKEN), retry=retry, seconds_between_requests=0
)
repo = api.withLazy(True).get_repo(FULL_NAME)
seen = {"issues": [repo.get_issue(number).raw_data["title"] for number in range(1, 6)]}
seen["waited"] = any("Retry" in line or "Setting next backoff" in line for line in waits.lines)
seen["failing"] = api.requester.requestJsonAndCheck("GET", "/flaky")[1]
seen["banned"] = api.requester.requestJsonAndCheck("GET", "/banned")[1]
show(seen)
