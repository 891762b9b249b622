"""Hostile scripts beside neighbours: what becomes of the attacker, of its neighbours and of the pod.

``snippets/*.js``     the attacks, a file a family; ``catalogue`` reads them and says how to add one
``pod_under_attack``  a real pod, neighbours that never stop asking, and the verdict on one attack
``test_hostile``      each attack as a test, by name
``__main__``          all of them at once, and the table in docs/hostile.md
"""
