"""flora's figures: what `make bench` prints and `docs/benchmarks.md` explains.

Real processes and real sockets on loopback. What is measured runs on one core, what feeds it on the other;
where there is something to compare with, both are measured in turn in the same run (A B A B …), because the
machine's speed drifts more than most differences.

``__main__``, ``registry``, ``rows``   the command, the list of benchmarks, the table and results.json
``machine``, ``processes``             cores, CPU accounting, children that never outlive this process
``payloads``, ``script``               the event, the answer and the handler that all benchmarks share
``stub_discord``                       a Discord that is much cheaper than its clients, as a process
``stub_state``, ``stub_wire``          what it knows; its bytes. ``stub_client`` is our end of it
``plain_bot``                          the baseline: discord.py as its documentation shows it
``flora``                              gateway, supervisor and one worker, with a control plane that is us
``worker_pipe``, ``isolated_vm``       one worker process over its pipe; the same handler in npm's isolated-vm
``pod_alone``                          a runtime pod whose gateway and control plane are us
``pod_reader``                         a runtime pod that only counts events
``figure_…``                           the benchmarks, each an async generator of rows
"""
