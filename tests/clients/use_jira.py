"""The package `jira`: create with Basic, use with Bearer, list, delete, refused afterwards."""

import sys

from jira import JIRA, JIRAError

base = sys.argv[1]
tokens = base + "/rest/pat/latest/tokens"
REFUSED = "The access token is not valid: it may be mistyped, expired or revoked."


def refusal(call):
    """What the package tells its user about a call with a revoked token."""
    try:
        answer = call()
    except JIRAError as error:
        assert error.status_code == 401, error
        return error.text
    raise AssertionError(f"the revoked token still works: {answer!r}")


# Create a token by Basic, through the package's own session.
by_password = JIRA(base, basic_auth=("alice", "alice"))
created = by_password._session.post(
    tokens, json={"name": "jira-cli / work", "expirationDuration": 90}
)
assert created.status_code == 201, created.text
token = created.json()

# Use it as anybody would.
jira = JIRA(base, token_auth=token["rawToken"])
assert jira.myself()["name"] == "alice", jira.myself()
assert jira.session().name == "alice", jira.session()
assert jira.projects() == [], jira.projects()
for use_post in (False, True):
    found = jira.search_issues("assignee = currentUser()", use_post=use_post)
    assert (list(found), found.total) == ([], 0), found

# List with it: exactly this token, used, and without its secret.
[listed] = jira._session.get(tokens).json()
assert listed["id"] == token["id"], listed
assert listed["name"] == "jira-cli / work", listed
assert "lastAccessedAt" in listed and "rawToken" not in listed, listed

# Delete it with itself. From then on it is refused, in words that its user can understand.
deleted = jira._session.delete(f"{tokens}/{token['id']}")
assert (deleted.status_code, deleted.content) == (204, b""), deleted.text
for call in (jira.myself, jira.projects, lambda: jira.search_issues("")):
    assert refusal(call) == REFUSED, refusal(call)
assert refusal(lambda: JIRA(base, token_auth=token["rawToken"])) == REFUSED
# The password is not affected, and no token is left.
assert by_password.myself()["name"] == "alice"
assert by_password._session.get(tokens).json() == []

# The package's way to sign in by cookie; it sends `X-Atlassian-Token: no-check` everywhere.
by_cookie = JIRA(base, auth=("bob", "bob"))
assert by_cookie.myself()["name"] == "bob", by_cookie.myself()
created = by_cookie._session.post(tokens, json={"name": "by cookie", "expirationDuration": 1})
assert created.status_code == 201, created.text
