"""The manifest from which Slack makes the app: scopes, events, command. Pure.

See docs.slack.dev/reference/app-manifest. The scopes are those of the methods that the code calls;
a test reads the code and compares.
"""

from __future__ import annotations

from typing import Any

# Bot scopes by the Web API method that needs them (docs.slack.dev/reference/methods).
SCOPES: dict[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history"),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history", "groups:history", "im:history"),
}
_INBOUND = ("app_mentions:read", "commands")  # a mention is an event, `/wirewatch` a command
COMMAND = "/wirewatch"
ENDPOINT = "/slack"


def manifest(public_url: str = "", name: str = "Wirewatch") -> dict[str, Any]:
    """Return the manifest as JSON-ready data.

    Without `public_url` the app uses Socket Mode, which needs no public address; with it, Slack
    calls `public_url` + `/slack`, signed.
    """
    where = f"{public_url.rstrip('/')}{ENDPOINT}" if public_url else ""
    wanted = sorted({scope for scopes in SCOPES.values() for scope in scopes} | set(_INBOUND))
    address = {"url": where} if where else {}
    called = {"request_url": where} if where else {}
    return {
        "display_information": {
            "name": name,
            "description": "Alerts on news that match your topics, once per happening.",
        },
        "features": {
            "app_home": {  # without this tab Slack takes no direct message from the bot
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "Status, topics, silences, and your own subscriptions",
                    "usage_hint": "status | topics | silence … | subscribe …",
                    "should_escape": False,
                    **address,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": wanted}},
        "settings": {
            "event_subscriptions": {"bot_events": ["app_mention"], **called},
            "interactivity": {"is_enabled": True, **called},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not where,
            "token_rotation_enabled": False,
        },
    }
