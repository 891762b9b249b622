"""The operator's side of the API server: who we are, requests, list and watch, Events."""
