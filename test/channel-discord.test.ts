// Discord: the contract of channels and what is Discord's own, through the parts of discord.js against a local REST interface and gateway.
import discord from "../src/channels/discord.ts";
import { channelContract } from "../src/testing/channel-platform.ts";
import { discordPlatform } from "./platform-discord.ts";

channelContract({ kind: discord, start: discordPlatform, sure: "lookup", media: true });
