"""From a scene to strokes on a machine: where they lie, in what order, and what is refused."""

import dataclasses
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.estimate import trace_time_s
from sketch_edge.runtime.plot.gcode import program
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.plot.parts import Area, Extra, Lift, Paper, Park
from sketch_edge.runtime.plot.plan import PlotOptions, plan_scene, split_pens
from sketch_edge.runtime.plot.preview import preview
from sketch_edge.runtime.plot.transform import page_transform
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.writers import render

SCENES = runpy.run_path(str(Path(__file__).with_name("scenes.py")))
HOUSE, SUN, TWO_PENS = SCENES["HOUSE"], SCENES["SUN"], SCENES["TWO_PENS"]
line, random_scene = SCENES["line"], SCENES["random_scene"]

AS_IT_IS = PlotOptions(order="keep", merge_mm=-1, remove_duplicates=False)


def machine(**sections):
    """A Grbl machine with a z axis and an area of 200 x 200 mm."""
    return Machine("m", "grbl", **({"area": Area(0, 200, 0, 200)} | sections))


def scene(*lines, page=Page(100, 80, 0)):  # noqa: B008 - it is frozen
    """A scene of one pen."""
    return Scene(page, objects=(Placed(lines, "thing"),))


def points(plan):
    """All points of a plan as a plain list."""
    return [tuple(point) for layer in plan.layers for each in layer.lines for point in each.tolist()]


CORNERS = line((0, 0), (100, 0), (100, 80), (0, 80))


@pytest.mark.parametrize(
    ("paper", "corners"),
    [
        (Paper(), [(0, 80), (100, 80), (100, 0), (0, 0)]),
        (Paper(y_up=False), [(0, 0), (100, 0), (100, 80), (0, 80)]),
        (Paper(x_mm=30, y_mm=50.5), [(30, 130.5), (130, 130.5), (130, 50.5), (30, 50.5)]),
        # Clockwise: the upper left corner comes to the upper right.
        (Paper(turn_degrees=90), [(80, 100), (80, 0), (0, 0), (0, 100)]),
        (Paper(turn_degrees=180), [(100, 0), (0, 0), (0, 80), (100, 80)]),
        (Paper(turn_degrees=270), [(0, 0), (0, 100), (80, 100), (80, 0)]),
        (Paper(turn_degrees=90, y_up=False), [(80, 0), (80, 100), (0, 100), (0, 0)]),
        (Paper(1, 2, False, 180), [(101, 82), (1, 82), (1, 2), (101, 2)]),
    ],
)
def test_the_page_lies_where_the_profile_says(paper, corners):
    """Flip and turn move the page as a whole; its least corner is at page.x_mm, page.y_mm."""
    assert points(plan_scene(scene(CORNERS), machine(page=paper), AS_IT_IS)) == corners


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("y_up", [True, False])
def test_what_is_drawn_does_not_move_the_page(turn, y_up):
    """A line has its place on the machine whatever else is on the page: the bounding box plays no part."""
    plotter = machine(page=Paper(20, 30, y_up, turn))
    mark = line((10, 20), (13, 20))
    alone = plan_scene(scene(mark), plotter, AS_IT_IS)
    among = plan_scene(scene(mark, line((90, 3), (95, 70)), line((1, 79))), plotter, AS_IT_IS)
    assert points(alone) == points(among)[:2]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("y_up", [True, False])
def test_the_way_back_to_the_page(turn, y_up):
    """`to_page` undoes `to_machine`."""
    transform = page_transform(Page(100, 80, 0), machine(page=Paper(20, 30, y_up, turn)))
    given = np.array([[1.0, 2.0], [50.0, 70.0]])
    np.testing.assert_allclose(transform.to_page(transform.to_machine(given)), given, atol=1e-12)


def test_letters_are_not_mirrored_on_a_machine_with_y_up():
    """An L stays an L: what is clockwise on the page is clockwise for somebody who looks at the machine."""
    for turn in (0, 90, 180, 270):
        a, b, c = np.array(
            points(
                plan_scene(scene(line((10, 10), (10, 40), (30, 40))), machine(page=Paper(turn_degrees=turn)), AS_IT_IS)
            )
        )
        assert (b - a)[0] * (c - b)[1] - (b - a)[1] * (c - b)[0] > 0  # to the left, as y points up


def test_coordinates_are_on_the_grid_of_the_program():
    """Three decimals, no negative zero, no point twice."""
    plan = plan_scene(scene(line((0.00049, 79.99951), (0.0004, 79.9999), (1 / 3, 10))), machine(), AS_IT_IS)
    assert points(plan) == [(0.0, 0.0), (0.333, 70.0)]
    assert math.copysign(1, points(plan)[0][0]) == 1


@pytest.mark.parametrize(
    ("paper", "sides"),
    [
        (Paper(-0.002, 0), [r"0\.002 mm left of it"]),
        (Paper(101, 0), [r"1\.000 mm right of it"]),
        (Paper(0, -5), [r"5\.000 mm below it"]),
        (Paper(0, 130.25), [r"10\.250 mm above it"]),
        (Paper(-1, 130), [r"1\.000 mm left of it, 10\.000 mm above it"]),
    ],
)
def test_a_drawing_out_of_the_area_is_refused(paper, sides):
    """The message says by how much and where, and what to do."""
    with pytest.raises(
        InputError, match=rf"^machine m: the drawing leaves the work area, {sides[0]} \(it goes"
    ) as caught:
        plan_scene(scene(CORNERS), machine(page=paper), AS_IT_IS)
    assert str(caught.value).endswith("turn it (page.turn_degrees), move it (page.x_mm, page.y_mm), or clip")


def test_the_very_border_belongs_to_the_area():
    """A page as large as the area can be filled to its edge; a page that is larger may stand out if no line does."""
    plotter = machine(area=Area(0, 100, 0, 80))
    plan_scene(scene(CORNERS), plotter, AS_IT_IS)
    plan_scene(scene(line((0, 150), (80, 100)), page=Page(150, 150, 0)), plotter, AS_IT_IS)


def test_clip_cuts_at_the_border():
    """What is inside stays, the report counts the lines that were cut."""
    plotter = machine(area=Area(0, 50.0007, 0, 80))
    options = dataclasses.replace(AS_IT_IS, clip=True)
    plan = plan_scene(scene(line((10, 10), (90, 10)), line((60, 1), (70, 1)), line((5, 5), (6, 5))), plotter, options)
    assert points(plan) == [(10, 70), (50, 70), (5, 75), (6, 75)]
    assert (plan.report.lines, plan.report.clipped, plan.stroke_count) == (3, 2, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(machine_names()))
def test_clipped_programs_pass_the_checker(seed, name):
    """With clip on no scene and no area leads to a move outside."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(-20, 40, 2).round(4)
    size = rng.uniform(5, 60, 2).round(4)
    area = Area(low[0], low[0] + size[0], low[1], low[1] + size[1])
    plotter = dataclasses.replace(load_machine(name), area=area, park=Park(low[0], low[1]))
    text = program(plan_scene(random_scene(rng), plotter, PlotOptions(order="nearest", clip=True)))
    check_program(text, plotter)


def test_pens_are_drawn_in_turn():
    """Every pen once, in the order of the scene; one that draws nothing is not there."""
    three = Scene(TWO_PENS.page, (*TWO_PENS.pens, Pen("blue")), (Placed(SUN, "sun", 2), Placed(HOUSE, "house", 0)))
    plan = plan_scene(three, machine(), AS_IT_IS)
    assert [layer.label for layer in plan.layers] == ["1 black", "3 blue"]
    assert [(layer.label, number) for layer, number in plan.numbered()] == [("1 black", 1), ("3 blue", 4)]


def test_lines_of_different_pens_are_not_merged():
    """One line that goes on in another colour stays two."""
    lines = line((10, 10), (20, 10)), line((20, 10), (30, 10))
    pens = (Pen("black"), Pen("red", "red"))
    page = Page(100, 80, 0)
    two = Scene(page, pens, (Placed(lines[:1]), Placed(lines[1:], pen=1)))
    one = Scene(page, pens, (Placed(lines[:1]), Placed(lines[1:])))
    assert plan_scene(two, machine()).stroke_count == 2
    merged = plan_scene(one, machine())
    assert (merged.stroke_count, merged.report.merged) == (1, 1)
    assert plan_scene(one, machine(), PlotOptions(merge_mm=-1)).stroke_count == 2


def test_tidying_is_reported():
    """Duplicates, and lines that are too short, go and are counted; dots stay."""
    lines = line((10, 10), (40, 10)), line((10, 10), (40, 10)), line((60, 60), (60.2, 60)), line((50, 50))
    plan = plan_scene(scene(*lines), machine(), PlotOptions(shortest_mm=0.5))
    assert (plan.report.lines, plan.report.duplicates, plan.report.short, plan.stroke_count) == (4, 1, 1, 2)
    kept = plan_scene(scene(*lines), machine(), PlotOptions(merge_mm=-1, remove_duplicates=False))
    assert kept.stroke_count == 4


@pytest.mark.parametrize("order", ["nearest", "best"])
def test_ordering_never_makes_the_way_longer(order):
    """The report says travel before and after, in the same measure."""
    for seed in range(5):
        tangled = random_scene(np.random.default_rng(seed), 30)
        plan = plan_scene(tangled, machine(), PlotOptions(order=order, merge_mm=-1))
        assert plan.report.travel_mm < plan.report.travel_before_mm
        kept = plan_scene(tangled, machine(), AS_IT_IS).report
        assert kept.travel_mm == kept.travel_before_mm == pytest.approx(plan.report.travel_before_mm)


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("between", [True, False])
def test_the_report_says_what_the_program_does(name, between):
    """Travel, drawn way, lifts and time are those that the checker finds in the text."""
    plotter = dataclasses.replace(load_machine(name), park=Park(3, 4, between))
    for seed in (1, 2):
        plan = plan_scene(random_scene(np.random.default_rng(seed), 20, 3), plotter)
        trace = check_program(program(plan), plotter)
        assert plan.report.travel_mm == pytest.approx(trace.travel_mm, abs=0.01)
        assert plan.report.drawn_mm == pytest.approx(trace.drawn_mm, abs=0.01)
        assert plan.report.lifts == len(trace.strokes()) == plan.stroke_count
        assert plan.report.time_s == pytest.approx(trace_time_s(trace, plotter), rel=0.002, abs=1.0)


@pytest.mark.parametrize("name", machine_names())
def test_what_is_drawn_is_what_the_scene_holds(name):
    """The strokes that the checker reads, back on the page, are the scene's lines within 0.001 mm."""
    plotter = load_machine(name)
    trace = check_program(program(plan_scene(TWO_PENS, plotter, AS_IT_IS)), plotter)
    to_page = page_transform(TWO_PENS.page, plotter).to_page
    given = [each for placed in TWO_PENS.objects for each in placed.lines]
    for stroke, wanted in zip(trace.strokes(), given, strict=True):
        np.testing.assert_allclose(to_page(stroke)[: len(wanted)], wanted, atol=0.00051)
        assert len(stroke) == len(wanted) or (name == "grbl-laser" and len(wanted) == 1)


def test_a_laser_draws_a_short_line_for_a_dot():
    """It is dark at a standstill; at the border the line goes inwards."""
    laser = machine(pen=Lift("laser", power=100.0), area=Area(0, 100, 0, 80))
    assert points(plan_scene(scene(line((0, 5))), laser)) == [(0, 75), (0.1, 75)]
    assert points(plan_scene(scene(line((100, 5))), laser)) == [(100, 75), (99.9, 75)]


def test_split_pens_gives_a_plan_for_each():
    """Each draws what its pen drew, counted from 1, with a report of its own."""
    whole = plan_scene(TWO_PENS, machine())
    plans = split_pens(whole)
    assert [[layer.label for layer in plan.layers] for plan in plans] == [["1 black"], ["2 red"]]
    assert [next(plan.numbered())[1] for plan in plans] == [1, 1]
    assert sum(plan.report.lifts for plan in plans) == whole.report.lifts
    assert sum(plan.report.drawn_mm for plan in plans) == pytest.approx(whole.report.drawn_mm)
    with pytest.raises(InputError, match="start_at_stroke: does not go with"):
        split_pens(plan_scene(TWO_PENS, machine(), PlotOptions(start_at_stroke=2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "shuffle"}, "order 'shuffle': is unknown; choose one of keep, nearest, best"),
        ({"merge_mm": math.nan}, "merge_mm: is nan"),
        ({"merge_mm": "1"}, "merge_mm: is '1'"),
        ({"simplify_mm": -1}, r"simplify_mm: is -1 \(expected 0 to 100\)"),
        ({"shortest_mm": math.inf}, "shortest_mm: is inf"),
        ({"start_at_stroke": 0}, "start_at_stroke: is 0"),
        ({"start_at_stroke": 1.5}, r"start_at_stroke: is 1\.5"),
        ({"start_at_stroke": True}, "start_at_stroke: is True"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    """Before any work."""
    with pytest.raises(InputError, match=f"^{message}"):
        PlotOptions(**options)


def test_a_stroke_that_is_not_there_cannot_be_the_first():
    """The message says how many there are."""
    with pytest.raises(InputError, match=r"start_at_stroke: is 6 \(expected 1 to 5, the strokes there are\)"):
        plan_scene(TWO_PENS, machine(), PlotOptions(start_at_stroke=6))


def test_an_empty_scene_is_an_empty_plan():
    """A model that drew nothing is no error."""
    plan = plan_scene(Scene(), machine())
    assert (plan.layers, plan.report.lifts, plan.report.travel_mm) == ((), 0, 0.0)
    assert preview(plan).objects[-1].lines == ()


def test_a_preview_shows_strokes_where_the_page_has_them():
    """The pens' lines are back in their places, and the moves between them are one more layer."""
    shown = preview(plan_scene(TWO_PENS, machine(page=Paper(40, 50, True, 90)), AS_IT_IS))
    assert [pen.name for pen in shown.pens] == ["black", "red", "travel"]
    layers = list(shown.layers())
    assert [number for number, _, _ in layers] == [1, 2, 3]
    for (_, _, objects), lines in zip(layers, (HOUSE, SUN), strict=False):
        for stroke, wanted in zip(objects[0].lines, lines, strict=True):
            np.testing.assert_allclose(stroke, wanted, atol=0.001)
    moves = layers[2][2][0].lines
    assert [len(move) for move in moves] == [2] * 7  # park, 3 strokes, park, 2 strokes, park
    np.testing.assert_allclose(moves[1], [HOUSE[0][-1], HOUSE[1][0]], atol=0.001)
    assert b'inkscape:label="3 travel"' in render(shown, "svg")


def test_a_preview_keeps_names_apart():
    """A pen may be called travel itself."""
    shown = preview(plan_scene(Scene(pens=(Pen("travel"),), objects=(Placed((line((1, 2), (3, 4)),)),)), machine()))
    assert len({pen.name for pen in shown.pens}) == 2


def test_without_a_pause_the_pen_stays_where_it_is():
    """A machine that is not paused between pens, or does not park for it, travels straight on."""
    parked = plan_scene(TWO_PENS, machine(), AS_IT_IS).report.travel_mm
    for plotter in (machine(park=Park(between_pens=False)), machine(program=Extra(pause_lines=()))):
        assert plan_scene(TWO_PENS, plotter, AS_IT_IS).report.travel_mm < parked


def test_equal_scenes_give_equal_plans():
    """Nothing depends on what was planned before."""
    rng = np.random.default_rng(5)
    tangled = random_scene(rng, 40)
    assert points(plan_scene(tangled, machine())) == points(plan_scene(tangled, machine()))
