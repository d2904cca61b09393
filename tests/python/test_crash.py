"""A server that is killed under clients of both dialects, again and again: `crash.py` says what must hold."""

import random

from crash import Proof, Rescale, Writer
import pytest

KILLS = 200


@pytest.fixture
def proof(serve, tmp_path):
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    return Proof(tmp_path, serve, seed)


def test_what_is_acknowledged_survives_any_number_of_kills(proof):
    for number in range(KILLS):
        proof.round()
        if number % 50 == 49:
            proof.verify()
    assert proof.acknowledged >= KILLS


def test_the_checker_sees_what_is_lost_mixed_and_back_from_the_dead(proof):
    load = proof.calm()
    rescale = proof.writers[0]
    for name in ("w0-1", "w0-2", "w0-3"):
        state = [name, name, 10, None]
        rescale.journal.write(step="asked", key=name, state=state)
        state[3] = Rescale.create(load, None, state)
        rescale.journal.write(step="done", key=name, state=state)
        rescale.settle(name, state)
    assert proof.check() == 3
    # Lost: gone without a word.
    journal = rescale.journal.path.read_text()
    load.ask("DELETE", f"/api/v2/files/{rescale.live['w0-1'][3]}/", 204)
    with pytest.raises(AssertionError, match="w0-1 was acknowledged"):
        proof.check()
    # Back from the dead: the journal says that it was deleted.
    rescale.journal.write(step="done", key="w0-1", state=None)
    assert proof.check() == 3
    rescale.journal.write(step="done", key="w0-2", state=None)
    with pytest.raises(AssertionError, match="w0-2"):
        proof.check()
    # Mixed: the name of one state and the content of another.
    rescale.journal.path.write_text(journal.replace('"w0-3", "w0-3"', '"w0-3", "other"'))
    with pytest.raises(AssertionError):
        proof.check()
    assert isinstance(rescale, Writer)
