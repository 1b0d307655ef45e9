import pytest

from tests.bench.figures import Spread, figure, paired_ratios, percentile, spread


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
        ([4.0, 1.0], 0.0, 1.0),
        ([4.0, 1.0], 1.0, 4.0),
    ],
)
def test_percentile_interpolates_between_neighbours(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_percentile_of_nothing_or_beyond_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, share)


def test_percentile_leaves_its_input_as_it_was() -> None:
    values = [3.0, 1.0, 2.0]
    percentile(values, 0.5)
    assert values == [3.0, 1.0, 2.0]


def test_spread_is_median_least_and_most() -> None:
    assert spread([9.0, 1.0, 2.0, 4.0]) == Spread(3.0, 1.0, 9.0)
    with pytest.raises(ValueError, match="no spread"):
        spread([])


def test_ratios_are_taken_round_by_round_and_not_of_medians() -> None:
    # The machine was twice as slow in the second round, for both.
    taken = figure("wall", "s", ours=[1.0, 2.0, 3.0], base=[2.0, 4.0, 3.0])
    assert taken.ratio == Spread(0.5, 0.5, 1.0)
    assert taken.ours.median == 2.0
    assert taken.base == Spread(3.0, 2.0, 4.0)


def test_a_figure_without_base_line_has_no_ratio() -> None:
    taken = figure("memory", "KB", [1.0])
    assert taken.base is None
    assert taken.ratio is None


@pytest.mark.parametrize(("ours", "base"), [([1.0], [1.0, 2.0]), ([1.0], [0.0]), ([1.0], [-1.0])])
def test_what_is_no_pair_gets_no_ratio(ours: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rounds against|base line of nothing"):
        paired_ratios(ours, base)
