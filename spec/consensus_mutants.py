"""The one way to spoil `consensus.py`."""

from ..checker.mutant import Mutant

MUTANTS = [
    Mutant(
        "choose_twice",
        "A second value is chosen in a slot.",
        "    require(not any((s, w) in now.chosen for w in Value))\n",
        "",
        breaks="agreement",
        steps=2,
        explorer={"slot": 1, "value": 2},
        prover=("choose", "agreement"),
    ),
]
