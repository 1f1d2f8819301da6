"""The package `mcp-atlassian`, through which language models use Jira, with a token that may only read."""

import asyncio
import os
import sys

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

base = sys.argv[1]


def create_token():
    """A token of alice's with the scope `read`."""
    response = httpx.post(
        f"{base}/rest/pat/latest/tokens",
        auth=("alice", "alice"),
        json={"name": "assistant", "expirationDuration": 1, "scopes": ["read"]},
    )
    assert response.status_code == 201, response.text
    assert response.json()["scopes"] == ["read"], response.text
    return response.json()["rawToken"]


def comments():
    response = httpx.get(f"{base}/rest/api/2/issue/DEMO-1/comment", auth=("alice", "alice"))
    assert response.status_code == 200, response.text
    return [comment["body"] for comment in response.json()["comments"]]


async def call(session, tool, **arguments):
    """Whether a tool succeeds, and what it says."""
    result = await session.call_tool(tool, arguments)
    return not result.isError, "".join(part.text for part in result.content)


async def use(session):
    await session.initialize()
    for tool, arguments, part in (
        ("jira_search", {"jql": "project = DEMO"}, "DEMO-3"),
        ("jira_get_issue", {"issue_key": "DEMO-1"}, "Try a token"),
        ("jira_get_all_projects", {}, "Demo project"),
    ):
        succeeded, text = await call(session, tool, **arguments)
        assert succeeded and part in text, (tool, text)
    succeeded, text = await call(session, "jira_add_comment", issue_key="DEMO-1", body="no")
    assert not succeeded and "write" in text, text


async def main():
    parameters = StdioServerParameters(
        command=os.path.join(os.path.dirname(sys.executable), "mcp-atlassian"),
        env={
            "HOME": os.environ["HOME"],
            "PATH": os.environ["PATH"],
            "JIRA_URL": base,
            "JIRA_PERSONAL_TOKEN": create_token(),
        },
    )
    async with stdio_client(parameters, errlog=open(os.devnull, "w")) as streams:
        async with ClientSession(*streams) as session:
            await use(session)
    assert comments() == [], comments()


asyncio.run(main())
