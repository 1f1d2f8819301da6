"""The package `atlassian-python-api`: create with Basic, use with Bearer, list, delete, refused.

It has no calls of its own for tokens, so they go through its general ones.
"""

import sys

from atlassian import Confluence, Jira
from requests import HTTPError

base = sys.argv[1]
tokens = "rest/pat/latest/tokens"
REFUSED = "The access token is not valid: it may be mistyped, expired or revoked."


def refusal(call):
    """What the package tells its user about a call with a revoked token."""
    try:
        answer = call()
    except HTTPError as error:
        assert error.response.status_code == 401, error
        assert error.response.json()["message"] == REFUSED, error.response.text
        return str(error)
    raise AssertionError(f"the revoked token still works: {answer!r}")


# Create one token by Basic, and with that another one.
by_password = Jira(url=base, username="alice", password="alice")
token = by_password.post(tokens, data={"name": "first", "expirationDuration": 90})
jira = Jira(url=base, token=token["rawToken"])
second = jira.post(tokens, data={"name": "second", "expirationDuration": 30})
confluence = Confluence(url=base, token=second["rawToken"])

# Use them.
assert jira.myself()["name"] == "alice", jira.myself()
assert jira.get_server_info()["deploymentType"] == "Server", jira.get_server_info()
assert [project["key"] for project in jira.projects()] == ["DEMO"], jira.projects()
found = jira.jql("project = DEMO", start=1, limit=1)
assert [issue["key"] for issue in found["issues"]] == ["DEMO-2"], found
assert (found["startAt"], found["maxResults"], found["total"]) == (1, 1, 3), found
assert jira.issue("DEMO-1")["fields"]["summary"] == "Try a token"
jira.issue_add_comment("DEMO-1", "done")
[comment] = jira.issue_get_comments("DEMO-1")["comments"]
assert (comment["body"], comment["author"]["name"]) == ("done", "alice"), comment
[page] = confluence.get("rest/api/content")["results"]
assert confluence.get(f"rest/api/content/{page['id']}")["title"] == page["title"]
assert confluence.get("rest/api/user/current")["username"] == "alice"
assert confluence.get("rest/api/space")["results"][0]["key"] == "DEMO"
assert len(confluence.cql("type = page")["results"]) == 1
assert [one["title"] for one in confluence.get_all_pages_from_space("DEMO")] == [page["title"]]
assert list(confluence.get_all_pages_from_space("NONE")) == []

# What is not there is said so in words.
try:
    jira.issue("DEMO-9")
except HTTPError as error:
    assert error.response.status_code == 404, error
    assert "There is no such issue." in str(error), error
else:
    raise AssertionError("there is an issue")

# List them: in the order of their creation, without their secrets.
listed = jira.get(tokens)
assert [(one["id"], one["name"]) for one in listed] == [
    (token["id"], "first"),
    (second["id"], "second"),
], listed
assert not any("rawToken" in one for one in listed), listed
assert jira.get(f"{tokens}/{second['id']}")["name"] == "second"

# Delete the second with the first: only the second is refused.
assert not jira.delete(f"{tokens}/{second['id']}")
assert refusal(lambda: confluence.get("rest/api/content")) == REFUSED
assert refusal(lambda: confluence.cql("type = page")) == REFUSED
assert jira.myself()["name"] == "alice", jira.myself()

# Delete the first with itself. Its class for Jira has words of its own for a 401.
assert not jira.delete(f"{tokens}/{token['id']}")
assert refusal(jira.myself) == "Unauthorized (401)"
assert refusal(jira.projects) == "Unauthorized (401)"
assert by_password.get(tokens) == [], by_password.get(tokens)
