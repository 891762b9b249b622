"""Moves of guilds from pod to pod, with their data and without losing an event.

``machine``   what a move is, how it goes on, what each of its steps means; pure
``moves``     several moves at once: deadlines, writing down, trying again
``retention`` deleted guilds' data set aside on their pods
``metrics``   what Prometheus learns
"""
