"""Forward kinematics, its derivatives and its inverse."""

import math

import pytest
import roma
import torch

from moldiff.domain.kinematics import Kinematics, Pose, random_poses
from moldiff.geometry.tensors import exponential
from moldiff.protein.pocket import Box

BOX = Box(centre=(20.0, -5.0, 40.0), size=(10.0, 8.0, 6.0))

# A branched tree: atoms 0-1-2 are the root, 3 hangs on 2, 4-5 on 3, 6-7 on 4, 8 on 0.
AXES = [(2, 3), (3, 4), (4, 6), (1, 8)]
SIDES = [(3, 4, 5, 6, 7), (4, 6, 7), (6, 7), (8, 9)]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def kinematics(*, rotors=4, atoms=10, conformers=3, seed=0, dtype=torch.float64):
    positions = 2 * torch.randn((conformers, atoms, 3), generator=rng(seed), dtype=dtype)
    moves = torch.zeros((rotors, atoms), dtype=torch.bool)
    for k in range(rotors):
        moves[k, list(SIDES[k])] = True
    axis = torch.tensor(AXES[:rotors], dtype=torch.int64).reshape(rotors, 2)
    return Kinematics(positions - positions.mean(1, keepdim=True), axis, moves)


SHAPES = [
    pytest.param({}, id="tree"),
    pytest.param({"rotors": 0}, id="rigid"),
    pytest.param({"rotors": 0, "atoms": 1}, id="ion"),
    pytest.param({"rotors": 0, "atoms": 2, "conformers": 1}, id="diatomic"),
]


def one_by_one(kin, pose):
    """Turn the torsions root-first about the axes as they then are."""
    shapes = []
    for p in range(len(pose)):
        x = kin.positions[pose.conformer[p]].clone()
        for k, (a, b) in enumerate(kin.axis.tolist()):
            unit = (x[b] - x[a]) / (x[b] - x[a]).norm()
            turn = roma.rotvec_to_rotmat(unit * pose.torsions[p, k])
            x[kin.moves[k]] = (x[kin.moves[k]] - x[a]) @ turn.T + x[a]
        shapes.append((x - x.mean(0)) @ pose.rotation[p].T + pose.centre[p])
    return torch.stack(shapes)


def test_place_turns_the_torsions_root_first():
    kin = kinematics()
    pose = random_poses(kin, BOX, 5, rng=rng())
    torch.testing.assert_close(kin.place(pose), one_by_one(kin, pose))


@pytest.mark.parametrize("shape", SHAPES)
def test_centre_is_the_centroid_and_zero_torsions_give_the_conformer(shape):
    kin = kinematics(**shape)
    pose = random_poses(kin, BOX, 6, rng=rng())
    torch.testing.assert_close(kin.place(pose).mean(1), pose.centre)
    still = pose.replace(torsions=torch.zeros_like(pose.torsions))
    x = kin.positions[pose.conformer] @ pose.rotation.mT + pose.centre[:, None]
    torch.testing.assert_close(kin.place(still), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_jacobian_is_the_derivative_of_place_after_retract(shape):
    kin = kinematics(**shape)
    pose = random_poses(kin, BOX, 3, rng=rng())
    zero = torch.zeros((3, 6 + kin.rotors), dtype=torch.float64)
    full = torch.autograd.functional.jacobian(lambda t: kin.place(kin.retract(pose, t)), zero)
    expected = torch.stack([full[p, :, :, p].flatten(0, 1) for p in range(3)])
    torch.testing.assert_close(kin.jacobian(kin.place(pose)), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_pull_back_is_the_transposed_jacobian(shape):
    kin = kinematics(**shape)
    x = kin.place(random_poses(kin, BOX, 4, rng=rng()))
    g = torch.randn(x.shape, generator=rng(1), dtype=x.dtype)
    expected = (kin.jacobian(x).mT @ g.flatten(1)[..., None])[..., 0]
    torch.testing.assert_close(kin.pull_back(g, x), expected)


def test_float32_far_from_the_origin_keeps_four_digits():
    exact = kinematics()
    single = Kinematics(exact.positions.float(), exact.axis, exact.moves)
    box = Box(centre=(90.0, 90.0, 90.0), size=BOX.size)
    pose = random_poses(exact, box, 4, rng=rng())
    pose32 = pose.replace(
        **{name: getattr(pose, name).float() for name in ("centre", "rotation", "torsions")}
    )
    x = exact.place(pose)
    assert single.place(pose32).dtype == torch.float32
    torch.testing.assert_close(single.place(pose32).double(), x, atol=1e-4, rtol=0)
    g = torch.randn(x.shape, generator=rng(1), dtype=x.dtype)
    got = single.pull_back(g.float(), x.float()).double()
    torch.testing.assert_close(got, exact.pull_back(g, x), atol=1e-3, rtol=1e-3)


def test_retract_adds_turns_and_wraps():
    kin = kinematics()
    pose = random_poses(kin, BOX, 4, rng=rng())
    step = torch.randn((4, 10), generator=rng(2), dtype=torch.float64)
    moved = kin.retract(pose, step)
    torch.testing.assert_close(moved.centre, pose.centre + step[:, :3])
    torch.testing.assert_close(moved.rotation, roma.rotvec_to_rotmat(step[:, 3:6]) @ pose.rotation)
    assert moved.torsions.abs().max() <= math.pi
    unwrapped = moved.replace(torsions=pose.torsions + step[:, 6:])
    torch.testing.assert_close(kin.place(moved), kin.place(unwrapped))


def test_rotations_stay_orthogonal_over_thousands_of_float32_steps():
    kin = kinematics(dtype=torch.float32)
    pose = random_poses(kin, BOX, 2, rng=rng())
    step = torch.full((2, 10), 0.3)
    for _ in range(3000):
        pose = kin.retract(pose, step)
    torch.testing.assert_close(
        pose.rotation @ pose.rotation.mT, torch.eye(3).expand(2, 3, 3), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, math.pi])
def test_exponential_is_the_rotation_of_a_vector(angle):
    vector = angle * torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5]]).double())
    torch.testing.assert_close(exponential(vector), roma.rotvec_to_rotmat(vector))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fit_recovers_poses_from_disturbed_starts(dtype):
    kin = kinematics(dtype=dtype)
    truth = random_poses(kin, BOX, 8, rng=rng())
    step = 0.5 * torch.randn((8, 10), generator=rng(3), dtype=dtype)
    target = kin.place(truth)
    found = kin.place(kin.fit(target, kin.retract(truth, step), iterations=30))
    rmsd = (found - target).square().sum(-1).mean(-1).sqrt()
    assert rmsd.max() < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
def test_fit_never_loses_to_superposition_and_reaches_the_centroid(shape):
    kin = kinematics(**shape)
    start = random_poses(kin, BOX, 5, rng=rng())
    x = kin.place(start)
    target = x + torch.randn(x.shape, generator=rng(4), dtype=x.dtype)
    fitted, rigid = kin.fit(target, start), kin.superpose(target, start)

    def error(pose):
        return (kin.place(pose) - target).square().sum((1, 2))

    assert (error(fitted) <= error(rigid) + 1e-12).all()
    assert (error(rigid) <= (x - target).square().sum((1, 2)) + 1e-12).all()
    torch.testing.assert_close(fitted.centre, target.mean(1), atol=1e-2, rtol=0)


def test_project_is_exact_inside_the_tangent_space():
    kin = kinematics()
    x = kin.place(random_poses(kin, BOX, 4, rng=rng()))
    tangent = torch.randn((4, 10), generator=rng(5), dtype=x.dtype)
    shift = (kin.jacobian(x) @ tangent[..., None]).reshape(x.shape)
    torch.testing.assert_close(kin.project(shift, x, ridge=1e-9), tangent, atol=1e-5, rtol=1e-5)


def test_place_and_pull_back_turn_with_the_frame():
    kin = kinematics()
    pose = random_poses(kin, BOX, 4, rng=rng())
    turn = exponential(torch.tensor([0.7, -1.9, 0.4], dtype=torch.float64))
    turned = pose.replace(centre=pose.centre @ turn.T, rotation=turn @ pose.rotation)
    x = kin.place(pose)
    torch.testing.assert_close(kin.place(turned), x @ turn.T)
    g = torch.randn(x.shape, generator=rng(1), dtype=x.dtype)
    plain, rotated = kin.pull_back(g, x), kin.pull_back(g @ turn.T, x @ turn.T)
    torch.testing.assert_close(rotated[:, :3], plain[:, :3] @ turn.T)
    torch.testing.assert_close(rotated[:, 3:6], plain[:, 3:6] @ turn.T)
    torch.testing.assert_close(rotated[:, 6:], plain[:, 6:])


def test_poses_are_independent_of_their_order():
    kin = kinematics()
    pose = random_poses(kin, BOX, 6, rng=rng())
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(kin.place(pose[order]), kin.place(pose)[order])
    torch.testing.assert_close(kin.place(Pose.cat([pose[:2], pose[2:]])), kin.place(pose))
    assert len(pose[2]) == 1 and len(pose[pose.conformer == 0]) < 6


def test_random_poses_fill_the_box_and_repeat_by_seed():
    kin = kinematics()
    pose, again = (random_poses(kin, BOX, 400, rng=rng(7)) for _ in range(2))
    offset = (pose.centre - torch.tensor(BOX.centre.tolist())) / torch.tensor(BOX.size.tolist())
    assert offset.abs().max() <= 0.5
    assert (offset.amax(0) > 0.45).all() and (offset.amin(0) < -0.45).all()
    torch.testing.assert_close(
        torch.linalg.det(pose.rotation), torch.ones(400).double(), atol=1e-5, rtol=0
    )
    assert pose.rotation.mean(0).abs().max() < 0.15
    assert set(pose.conformer.tolist()) == {0, 1, 2}
    torch.testing.assert_close(kin.place(pose), kin.place(again))


@pytest.mark.parametrize(
    ("axes", "sides"),
    [
        ([(0, 1)], [(0, 1)]),  # moves its own fixed atom
        ([(0, 1)], [(2, 3)]),  # does not move b
        ([(3, 4), (2, 3)], [(4, 5), (3, 4, 5)]),  # leaf before root
        ([(0, 1), (2, 3)], [(1, 4), (3, 4)]),  # overlapping sets
    ],
)
def test_rotors_that_are_no_root_first_tree_are_refused(axes, sides):
    moves = torch.zeros((len(axes), 6), dtype=torch.bool)
    for k, side in enumerate(sides):
        moves[k, list(side)] = True
    with pytest.raises(ValueError, match="root-first"):
        Kinematics(torch.randn(1, 6, 3), torch.tensor(axes), moves)
