"""The small network exported once in each form."""

import pytest


@pytest.fixture(scope="session")
def network():
    pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
    from tests.engines.networks import small_network

    return small_network()


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """The file of each form."""
    pytest.importorskip("onnxscript", reason="torch.onnx writes graphs with onnxscript")
    from joyai_ros.engines.export import Form, export_network
    from joyai_ros.imagination.mmdit.token_network import AXES, OUTPUT
    from tests.engines.networks import EXAMPLE, inputs

    folder = tmp_path_factory.mktemp("graphs")
    return {
        form: export_network(network, inputs(*EXAMPLE), AXES, folder / f"{form.name}.onnx", form, OUTPUT)
        for form in Form
    }
