"""All of flora on one machine: ``flora dev``.

``session``     the whole, started and stopped in order
``controller``  decides what the one runtime pod runs, as the operator does in a cluster
``sources``     script folders and GuildDeployment files, watched
``processes``   the simulator, the gateway and the runtime pod as child processes
``talk``        says something to the bot and waits for its answer
``view``        what the author sees
``command``     the command line
"""
