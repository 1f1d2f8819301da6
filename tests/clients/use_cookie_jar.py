"""A client that keeps cookies, as most do: beside a token they neither help nor harm."""

import sys

from requests import Session

base = sys.argv[1]
login = base + "/rest/auth/1/session"
myself = base + "/rest/api/2/myself"
tokens = base + "/rest/pat/latest/tokens"
CALLS = 50


def sign_in(client, user):
    """Gives the client's jar a live session, and returns the session's cookie."""
    answer = client.post(login, json={"username": user, "password": user})
    assert answer.status_code == 200, answer.text
    cookie = client.cookies["JSESSIONID"]
    assert client.get(myself).json()["name"] == user
    assert not refuses(cookie), "the session's cookie does not work"
    return cookie


def create(user):
    """Creates a token by Basic, in a client of its own."""
    body = {"name": "jar", "expirationDuration": 90}
    answer = Session().post(tokens, json=body, auth=(user, user))
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(token):
    return {"Authorization": "Bearer " + token["rawToken"]}


def refuses(cookie):
    """Whether a session's cookie, however somebody kept it, gives access to nothing."""
    client = Session()
    client.cookies.set("JSESSIONID", cookie)
    return client.get(myself).status_code == 401 and client.get(tokens).status_code == 401


# A jar with a live session and a token, over many calls: each succeeds, as the token's owner, and
# none leaves a cookie that names a dead session.
token = create("alice")
for user in ("alice", "bob"):
    client = Session()
    cookie = sign_in(client, user)
    for number in range(CALLS):
        url = (myself, tokens, base + "/rest/api/content")[number % 3]
        answer = client.get(url, headers=bearer(token))
        assert answer.status_code == 200, f"call {number}: {answer.status_code} {answer.text}"
        assert not client.cookies, f"call {number} left {client.cookies}"
    assert client.get(myself, headers=bearer(token)).json()["name"] == "alice"
    assert refuses(cookie), f"the session of {user} outlives a call with a token"

# A jar that gets its session while it has a token: the session is gone with the answer.
client = Session()
answer = client.post(
    login, json={"username": "alice", "password": "alice"}, headers=bearer(token)
)
assert not client.cookies, f"signing in with a token left {client.cookies}"
session = answer.json().get("session") if answer.ok else None
assert not (session and session["value"]) or refuses(session["value"]), answer.text

# A jar with a cookie that names no session: it does no harm, and is removed.
client = Session()
client.cookies.set("JSESSIONID", "AAAAAAAAAAAAAAAAAAAAAA", domain="127.0.0.1", path="/")
assert client.get(myself, headers=bearer(token)).status_code == 200
assert not client.cookies, f"the dead cookie is still there: {client.cookies}"

# An empty jar: it stays empty.
client = Session()
for number in range(CALLS):
    answer = client.get(myself, headers=bearer(token))
    assert answer.status_code == 200, f"call {number}: {answer.status_code} {answer.text}"
    assert "Set-Cookie" not in answer.headers, f"call {number}: {answer.headers}"
assert not client.cookies, client.cookies

# Once the token is revoked, its jar gives no access, with the token or without it.
client = Session()
cookie = sign_in(client, "alice")
assert client.get(myself, headers=bearer(token)).status_code == 200
revoked = client.delete(f"{tokens}/{token['id']}", headers=bearer(token))
assert revoked.status_code == 204, revoked.text
assert client.get(myself, headers=bearer(token)).status_code == 401
assert client.get(myself).status_code == 401
assert refuses(cookie), "the session outlives the token"

# A refused token leaves a session alone.
client = Session()
sign_in(client, "bob")
answer = client.get(myself, headers=bearer(token))
assert answer.status_code == 401, answer.text
assert "Set-Cookie" not in answer.headers, answer.headers
assert client.get(myself).json()["name"] == "bob"
