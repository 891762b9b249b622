"""On a real Kubernetes: its own API server decides, nothing of it is imitated."""
