"""The operator: GuildDeployments become bundles, places on runtime pods, and a status."""
