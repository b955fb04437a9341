"""The tables of a suite are means of what was scored, and nothing else."""

ROWS = [
    {"case": "a_nose", "head": "a", "defect": "nose", "missing": 1.0, "p95": 2.0, "seen": 0.1, "kept": 1.0, "holes": 0},
    {"case": "b_nose", "head": "b", "defect": "nose", "missing": 2.0, "p95": 3.0, "seen": 0.2, "kept": 0.9, "holes": 2},
    {"case": "b_half", "head": "b", "defect": "half", "missing": 6.0, "p95": 9.0, "seen": 0.3, "kept": 1.0, "holes": 0},
    {"case": "a_half", "head": "a", "defect": "half", "rc": 2},
]


def test_means_are_over_the_cases_that_came_through(script):
    lines = script("suite").tables(ROWS).splitlines()
    assert "| nose | 2 | 1.50 | 2.50 | 0.150 | 0.9000 | 2 |" in lines
    assert "| all | 3 | 3.00 | 4.67 | 0.200 | 0.9000 | 2 |" in lines
    assert "| b | 2.00 | 6.00 | 0.250 |" in lines


def test_another_method_stands_beside(script):
    table = script("suite").tables(ROWS, [{**ROWS[0], "missing": 4.0}])
    assert "| nose | 2 | 1.50 | 2.50 | 0.150 | 0.9000 | 2 | 4.00 | 0.10 |" in table
