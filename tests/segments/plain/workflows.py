"""Walks through workflows, in plain Python."""

from datetime import timedelta

from workflows.conditions import InWorkflow

from . import answers
from .comparing import inside


@answers(InWorkflow)
def in_workflow(condition, facts, now):
    walks = [each for each in facts["walks"] if each["workflow_id"] == condition.workflow_id]
    walks = [each for each in walks if each["entered_at"] <= now]

    def ended(status):
        return any(each["status"] == status and inside(condition, each["ended_at"], facts, now) for each in walks)

    def entered():
        return any(inside(condition, each["entered_at"], facts, now) for each in walks)

    def reached():
        goal, days = condition.workflow.goal_event, timedelta(days=condition.workflow.goal_days)
        done = [each["occurred_at"] for each in facts["events"] if each["name"] == goal]
        done = [at for at in done if inside(condition, at, facts, now)]
        return any(each["entered_at"] < at <= each["entered_at"] + days for each in walks for at in done)

    return {
        "is_in": lambda: any(each["ended_at"] is None or each["ended_at"] > now for each in walks),
        "entered": entered,
        "never_entered": lambda: not entered(),
        "finished": lambda: ended("completed"),
        "left_early": lambda: ended("exited"),
        "reached_goal": reached,
    }[condition.operator]()
