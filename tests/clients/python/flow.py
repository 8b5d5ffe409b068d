"""What every flow needs: where the API is, and a way to say what it saw."""

import json
import os
import sys

BASE_URL = os.environ["BASE_URL"]
GRAPHQL_URL = os.environ["GRAPHQL_URL"]
TOKEN = os.environ["TOKEN"]
OWNER = os.environ["OWNER"]
REPO = os.environ["REPO"]
FULL_NAME = f"{OWNER}/{REPO}"


def show(seen):
    """Prints what was seen, as one JSON document."""
    json.dump(seen, sys.stdout, default=str)
