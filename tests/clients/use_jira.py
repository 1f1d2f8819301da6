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
assert [project.key for project in jira.projects()] == ["DEMO"], jira.projects()
assert jira.project("DEMO").name == "Demo project"
for use_post in (False, True):
    found = jira.search_issues("project = DEMO", use_post=use_post)
    assert ([issue.key for issue in found], found.total) == (["DEMO-1", "DEMO-2", "DEMO-3"], 3)
    part = jira.search_issues("", startAt=1, maxResults=1, use_post=use_post)
    assert ([issue.key for issue in part], part.total) == (["DEMO-2"], 3), part
    all_pages = jira.search_issues("", maxResults=False, use_post=use_post)
    assert len(all_pages) == 3, all_pages

# Read an issue and comment on it. What is not there is said so in words.
issue = jira.issue("DEMO-1")
assert issue.fields.summary == "Try a token", issue.raw
comment = jira.add_comment(issue, "Done — über ein Token.")
assert (comment.author.name, comment.body) == ("alice", "Done — über ein Token."), comment.raw
assert [one.id for one in jira.comments("DEMO-1")] == [comment.id]
assert jira.issue("DEMO-1").fields.comment.total == 1
for call, status, words in (
    (lambda: jira.issue("DEMO-9"), 404, "There is no such issue."),
    (lambda: jira.add_comment("DEMO-9", "x"), 404, "There is no such issue."),
    (lambda: jira.project("NONE"), 404, "There is no such project."),
    (lambda: jira.dashboards(), 404, "There is nothing here."),
    (lambda: issue.delete(), 405, "This method is not allowed here."),
):
    try:
        call()
    except JIRAError as error:
        assert (error.status_code, error.text) == (status, words), error
    else:
        raise AssertionError(words)

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
