// How an app for Steward is made at Slack: what people read, and the manifest that they paste.

const MANIFEST = {
  display_information: { name: "Steward", description: "A personal agent on your own machine", background_color: "#1f2937" },
  features: {
    app_home: { home_tab_enabled: false, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
    bot_user: { display_name: "Steward", always_online: true },
    slash_commands: [
      { command: "/steward", description: "Say something to Steward", usage_hint: "what you need", should_escape: true },
      { command: "/twizzy", description: "Say something to Steward", usage_hint: "what you need", should_escape: true },
    ],
  },
  oauth_config: {
    scopes: {
      bot: [
        ...["app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:read", "files:write"],
        ...["groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read"],
        ...["reactions:read", "reactions:write", "users:read"],
      ],
    },
  },
  settings: {
    event_subscriptions: {
      bot_events: [
        ...["app_mention", "app_uninstalled", "message.channels", "message.groups", "message.im", "message.mpim"],
        ...["reaction_added", "tokens_revoked"],
      ],
    },
    interactivity: { is_enabled: true },
    org_deploy_enabled: false,
    socket_mode_enabled: true,
    token_rotation_enabled: false,
  },
};

export const SLACK_GUIDE = [
  "1. At <https://api.slack.com/apps>: *Create New App* → *From a manifest*, choose the workspace, take *JSON* and paste this:",
  "",
  "```json",
  JSON.stringify(MANIFEST, undefined, 2),
  "```",
  "",
  "2. *Install App* → *Install to Workspace*. **OAuth & Permissions** then shows the *Bot User OAuth Token* (`xoxb-…`): bring it here as `botToken`.",
  "3. **Basic Information** → *App-Level Tokens* → *Generate*, with the scope `connections:write`. It begins with `xapp-…`: bring it here as `appToken`.",
  "4. In Slack, under *Apps*, write to **Steward**. It answers with a code; approve it, and you are in.",
  "5. For channels: `/invite @Steward` there, and allow the channel and its people here, by their ids (in a channel's or a profile's details, at the bottom or behind ⋮). It answers mentions, in threads.",
  "",
  "Without Socket Mode (`mode` = `http`): put `https://your-address/hooks/slack` into *Event Subscriptions*, *Interactivity* and both slash commands, turn *Socket Mode* off, and bring the *Signing Secret* of **Basic Information** as `signingSecret`.",
].join("\n");
