"""What stands between the network and the routes: limits, deadlines, headers, request ids.

``addresses``  who called, behind proxies
``limits``     how often: in Redis, or here while it is away
``protocol``   how long a request's head may be, and take
``edge``       the ASGI layers around the application
"""
