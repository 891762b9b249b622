"""What stands between the network and the routes: limits, deadlines, headers, request ids.

``addresses``  who called, behind proxies
``limits``     how often: in Redis, or here while it is away
``edge``       the ASGI layers around the application
"""
