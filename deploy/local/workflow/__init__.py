"""The workflow engine of the embedded stack: behaves as n8n does, renders real videos, fails on demand.

Start it with `python -m deploy.local.workflow`; settings are the variables WORKFLOW_* (settings.py). The control API:

    GET    /control/faults                {"faults": {"*": [...], "<job>": [...]}}: what can still strike
    PUT    /control/faults?job=<job>      {"faults": [{"kind": ...}, ...]}; replaces that job's. Without job: for all
    DELETE /control/faults?job=<job>      clears that job's. Without job: everybody's
    GET    /control/executions?videoId=   {"executions": [...]}: every run, its attempt, key, voice, state, callbacks
    GET    /control/calls                 {"calls": [...]}: every webhook call and its answer, refused ones too

A job is named by its videoId, requestId, executionId or title (create: its topic). The kinds of faults and their
parameters are in faults.py and in the README beside this file.
"""
