"""What an execution shows of itself in n8n's public API: what went in and what its nodes gave out."""

from typing import Any

from deploy.local.workflow.executions import Execution
from deploy.local.workflow.files import VideoFiles
from deploy.local.workflow.outcomes import completion_body

Data = dict[str, Any]


def data_of(execution: Execution, files: VideoFiles) -> Data:
    """Return the data in n8n's shape. The addresses to call back are left out: they carry tokens."""
    call = {"headers": execution.headers, "params": {}, "query": {}, "body": execution.fields}
    if execution.status == "running":
        # A run under way has saved what it was started with, and nothing that came of it.
        waiting = {"node": {"name": "Webhook"}, **_output(call), "source": None}
        return {"resultData": {"runData": {}}, "executionData": {"nodeExecutionStack": [waiting]}}
    nodes = {"Webhook": [_output(call)]}
    if execution.result is not None:
        nodes["Render"] = [_output(execution.result.model_dump(by_alias=True))]
        nodes["Report"] = [_output(completion_body(execution, files))]
    result: Data = {"runData": nodes, "lastNodeExecuted": list(nodes)[-1]}
    if execution.error_message is not None:
        result["error"] = {"name": "NodeOperationError", "message": execution.error_message}
    return {"resultData": result}


def _output(item: Data) -> Data:
    return {"data": {"main": [[{"json": item}]]}}
