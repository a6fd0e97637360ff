"""Conditions as tokens: a set, of which what is not asked for is not a part."""

from __future__ import annotations

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.batch import Batch, pair_count
from moldiff.nn import GraphNetwork
from moldiff.nn.conditions import ConditionTokens, CrossAttention

B, N, K = 3, 5, 4
NAN = float("nan")
CLASSES = {"types": 3, "bonds": 4}


def network(conditions: int = K, trained: bool = True) -> GraphNetwork:
    settings = {"width": 16, "pair_width": 8, "layers": 2, "heads": 2, "cross_attention": True}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        interaction = registry.build("interaction", {"name": "transformer", **settings})
        made = GraphNetwork(interaction, CLASSES, conditions=conditions)
        for parameter in made.parameters() if trained else ():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def graphs(conditions: torch.Tensor | None = None) -> Batch:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(B, N, 3, generator=rng)
    fields = {
        "positions": x - x.mean(1, keepdim=True),
        "types": torch.randint(3, (B, N), generator=rng),
        "bonds": torch.randint(4, (B, pair_count(N)), generator=rng),
    }
    return Batch(fields).given(conditions=conditions)


def output(net: GraphNetwork, conditions: torch.Tensor | None) -> torch.Tensor:
    with torch.no_grad():
        return net(graphs(conditions), torch.full((B,), 0.5))["types"]


def test_nothing_asked_for_is_the_same_as_only_unknown_values() -> None:
    net = network()
    assert torch.equal(output(net, None), output(net, torch.full((B, K), NAN)))


def test_every_value_counts_and_only_for_its_graph() -> None:
    net, base = network(), torch.full((B, K), NAN)
    for k in range(K):
        asked = base.clone()
        asked[1, k] = 0.7
        change = (output(net, asked) - output(net, base)).abs().amax((1, 2))
        assert change[1] > 1e-4
        assert change[[0, 2]].max() < 1e-6
        more = asked.clone()
        more[1, k] = -0.7
        assert (output(net, more) - output(net, asked))[1].abs().max() > 1e-4


def test_tokens_are_a_set() -> None:
    cross = CrossAttention(16, 8, 2)
    torch.nn.init.normal_(cross.out.weight)
    atoms, tokens = torch.randn(B, N, 16), torch.randn(B, K, 8)
    present = torch.tensor([[True, True, False, True]] * B)
    order = torch.tensor([3, 0, 2, 1])
    torch.testing.assert_close(
        cross(atoms, tokens, present), cross(atoms, tokens[:, order], present[:, order])
    )
    changed = tokens.clone()
    changed[:, 2] = 9.0  # absent
    assert torch.equal(cross(atoms, tokens, present), cross(atoms, changed, present))


def test_a_new_network_does_as_if_there_were_no_conditions() -> None:
    net = network(trained=False)
    assert torch.equal(output(net, None), output(net, torch.ones(B, K)))


def test_without_conditions_there_are_no_tokens() -> None:
    assert network(conditions=0).embedding.tokens is None


def test_one_row_serves_all_graphs_and_a_wrong_number_is_refused() -> None:
    net = network()
    row = torch.tensor([[0.3, NAN, -1.0, NAN]])
    assert torch.equal(output(net, row), output(net, row.expand(B, -1)))
    with pytest.raises(ValueError, match="4 conditions"):
        output(net, torch.ones(B, 2))


def test_there_is_always_a_token() -> None:
    tokens, present = ConditionTokens(K, 8)(None, B)
    assert tokens.shape == (B, 1, 8)
    assert present.tolist() == [[True]] * B


def test_tokens_are_those_that_are_asked_for() -> None:
    embed = ConditionTokens(K, 8)
    values = torch.tensor([[NAN, 2.0, NAN, -1.0], [NAN, NAN, 0.5, NAN]])
    tokens, present = embed(values, 2)
    assert present.tolist() == [[True, True, True], [True, False, True]]
    for graph, place, k in ((0, 0, 1), (0, 1, 3), (1, 0, 2)):
        alone = torch.full((1, K), NAN)
        alone[0, k] = values[graph, k]
        torch.testing.assert_close(tokens[graph, place], embed(alone, 1)[0][0, 0])
    different = {
        tuple(embed(row, 1)[0][0, 0].tolist()) for row in torch.eye(K).log().add(1)[:, None]
    }
    assert len(different) == K  # the same value of another condition is another token
