"""``flora test``: a project's ``*.test.ts`` files in the engine of the pods.

``command``  the command line; ``report`` what it prints
``runner``   finds and bundles test files, and has them run by a child process with a deadline
``child``    that process: V8, and one file after another
``stage``    one test file in an isolate: what is due, what is answered, when time moves
``script``   the isolate itself: turns, and their limits
``played``   Discord, storage and other servers, as a test has them
``wire``     what the two processes say to each other

The other half is ``sdk/src/testing``, the module ``flora-test`` that runs beside the script and speaks to
``stage`` by requests to an address that nothing else has.
"""
