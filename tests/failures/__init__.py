"""When something dies: every message that Discord delivered or replayed is answered, and that is counted.

``counting``       a fleet of real processes, people who go on writing, and the tally of their answers
``cases``          what dies, one function each
``test_failures``  each case as a test
``__main__``       all of them, and the table in docs/failures.md
"""
