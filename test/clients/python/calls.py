"""Calls of python-gitlab, asked for line by line: each line of standard input is {"call": NAME, ...arguments}, each line
of standard output {"answer": ...} or, when GitLab refuses, {"refused": STATUS, "message": ...}. Ends with its standard input.
The arguments are the address of the GitLab and an access token."""

import json
import sys

import gitlab

gl = gitlab.Gitlab(sys.argv[1], private_token=sys.argv[2], timeout=30)


def me():
    if gl.user is None:
        gl.auth()
    return gl.user


def project(project_id):
    return gl.projects.get(project_id, lazy=True)


def group(group_id):
    return gl.groups.get(group_id, lazy=True)


def shown(found):
    return found.attributes


def listed(found):
    return [each.attributes for each in found]


def edit_hook(project_id, hook_id, **changes):
    hook = project(project_id).hooks.get(hook_id)
    for name, value in changes.items():
        setattr(hook, name, value)
    hook.save()
    return shown(hook)


def edit_runner(runner_id, **changes):
    runner = gl.runners.get(runner_id)
    for name, value in changes.items():
        setattr(runner, name, value)
    runner.save()
    return shown(runner)


CALLS = {
    "whoAmI": lambda: shown(me()),
    "version": lambda: list(gl.version()),
    "ownToken": lambda: shown(gl.personal_access_tokens.get("self")),
    "createProjectToken": lambda project_id, **settings: shown(project(project_id).access_tokens.create(settings)),
    "projects": lambda **query: listed(gl.projects.list(iterator=True, **query)),
    "protectedBranches": lambda project_id: listed(project(project_id).protectedbranches.list(get_all=True)),
    "createGroup": lambda **settings: shown(gl.groups.create(settings)),
    "groupProjects": lambda group_id, **query: listed(group(group_id).projects.list(get_all=True, **query)),
    "groupRunners": lambda group_id, **query: listed(group(group_id).runners.list(get_all=True, **query)),
    "createGroupHook": lambda group_id, **settings: shown(group(group_id).hooks.create(settings)),
    "groupHooks": lambda group_id: listed(group(group_id).hooks.list(get_all=True)),
    "deleteGroupHook": lambda group_id, hook_id: group(group_id).hooks.delete(hook_id),
    "createRunner": lambda **settings: shown(me().runners.create(settings)),
    "runner": lambda runner_id: shown(gl.runners.get(runner_id)),
    "editRunner": edit_runner,
    "deleteRunner": lambda runner_id: gl.runners.delete(runner_id),
    "verifyRunner": lambda token: gl.runners.verify(token),
    "runners": lambda **query: listed(gl.runners_all.list(get_all=True, **query)),
    "projectRunners": lambda project_id, **query: listed(project(project_id).runners.list(get_all=True, **query)),
    "runnerJobs": lambda runner_id, **query: listed(gl.runners.get(runner_id).jobs.list(get_all=True, **query)),
    "jobs": lambda project_id, **query: listed(project(project_id).jobs.list(iterator=True, **query)),
    "job": lambda project_id, job_id: shown(project(project_id).jobs.get(job_id)),
    "trace": lambda project_id, job_id: project(project_id).jobs.get(job_id, lazy=True).trace().decode(),
    "cancelJob": lambda project_id, job_id: project(project_id).jobs.get(job_id, lazy=True).cancel(),
    "retryJob": lambda project_id, job_id: project(project_id).jobs.get(job_id, lazy=True).retry(),
    "pipelines": lambda project_id, **query: listed(project(project_id).pipelines.list(get_all=True, **query)),
    "pipeline": lambda project_id, pipeline_id: shown(project(project_id).pipelines.get(pipeline_id)),
    "pipelineJobs": lambda project_id, pipeline_id, **query: listed(
        project(project_id).pipelines.get(pipeline_id, lazy=True).jobs.list(get_all=True, **query)
    ),
    "createPipeline": lambda project_id, **settings: shown(project(project_id).pipelines.create(settings)),
    "cancelPipeline": lambda project_id, pipeline_id: project(project_id).pipelines.get(pipeline_id, lazy=True).cancel(),
    "retryPipeline": lambda project_id, pipeline_id: project(project_id).pipelines.get(pipeline_id, lazy=True).retry(),
    "createHook": lambda project_id, **settings: shown(project(project_id).hooks.create(settings)),
    "hooks": lambda project_id: listed(project(project_id).hooks.list(get_all=True)),
    "hook": lambda project_id, hook_id: shown(project(project_id).hooks.get(hook_id)),
    "editHook": edit_hook,
    "testHook": lambda project_id, hook_id, trigger: project(project_id).hooks.get(hook_id, lazy=True).test(trigger),
    "deleteHook": lambda project_id, hook_id: project(project_id).hooks.delete(hook_id),
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"answer": CALLS[asked.pop("call")](**asked)}
    except gitlab.GitlabError as refusal:
        answer = {"refused": refusal.response_code, "message": str(refusal.error_message)}
    print(json.dumps(answer), flush=True)
