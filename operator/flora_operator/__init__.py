"""The operator: from GuildDeployments to bundles, pods that run them, and a status."""
