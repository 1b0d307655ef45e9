"""The plan: repeatable, and such that it can be carried out."""

from itertools import pairwise

import pytest

from tests.chaos.plan import ENGINES, Plan, make_plan, on_brokers
from tests.chaos.provocations import PROVOCATIONS
from tests.chaos.sabotage import SABOTAGES


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert make_plan(7, 120) == make_plan(7, 120)
    assert make_plan(7, 120).disruptions != make_plan(8, 120).disruptions


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_broken_twice_at_once(seed: int) -> None:
    plan = make_plan(seed, 300, fillable=True)
    for target in {one.target for one in plan.disruptions}:
        of_target = [one for one in plan.disruptions if one.target == target]
        assert all(before.at + before.seconds < after.at for before, after in pairwise(of_target))


def test_an_hour_has_two_hundred_kills_of_everything() -> None:
    kills = [one.target for one in make_plan(1, 3600).disruptions if one.harm == "kill"]
    assert len(kills) >= 200
    assert {"gateway", "generator-2", "kafka", "gateway-db", "s3", "workflow"} <= set(kills)


def test_engines_are_frozen_only_where_they_are_named() -> None:
    def frozen(plan: Plan) -> set[str]:
        return {one.target for one in plan.disruptions if one.harm == "freeze"} & set(ENGINES)

    assert frozen(make_plan(1, 3600)) == set()
    assert frozen(make_plan(1, 3600, freezable=("kafka", "s3"))) == {"kafka", "s3"}


def test_what_happens_to_kafka_happens_to_one_broker_after_the_other() -> None:
    plan = make_plan(1, 3600)
    several = on_brokers(plan, ("kafka-1", "kafka-2"))
    assert [one.at for one in several.disruptions] == [one.at for one in plan.disruptions]
    hit = [one.target for one in several.disruptions if one.target.startswith("kafka")]
    assert hit[:3] == ["kafka-1", "kafka-2", "kafka-1"]
    assert len(hit) == sum(one.target == "kafka" for one in plan.disruptions)
    assert on_brokers(plan, ("kafka",)) == plan


def test_wishes_are_about_what_the_same_user_asked_for() -> None:
    plan = make_plan(3, 300)
    asked = {ask.title: ask.user for ask in plan.asks}
    assert len(asked) == len(plan.asks)
    assert plan.wishes
    assert all(asked[wish.title] == wish.user for wish in plan.wishes)


def test_every_safeguard_has_a_plan_that_provokes_it() -> None:
    assert PROVOCATIONS.keys() == SABOTAGES.keys()
