"""gunicorn's threaded worker, made patient: slow clients cost a descriptor, not a thread.

It is imported by gunicorn's master too, which SIGHUP does not renew. So it imports nothing else of
the project, and the application knows it by ``signals`` only.
"""
