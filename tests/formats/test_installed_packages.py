"""Versions in what packagers leave behind."""

import json

import pytest

from sriov_bootstrap.formats.installed_packages import (
    dist_version,
    docker_label,
    dpkg_version,
    podman_config_file,
    podman_image,
    podman_label,
    rpm_version,
)

IMAGE = "7c2f" * 16


def stanza(name: str, version: str, *, status: str = "install ok installed") -> str:
    return f"Package: {name}\nStatus: {status}\nVersion: {version}\nDescription: text\n more: of it\n\n"


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("2:31.0.0-7", "31.0.0"),
        ("3:33.0.0~rc1-0ubuntu1~cloud0", "33.0.0~rc1"),
        ("34.0.0-1", "34.0.0"),
        ("34.0.0", "34.0.0"),
        ("1:34.0.0-rc-1", "34.0.0-rc"),
    ],
)
def test_dpkg_has_epoch_and_revision_around_the_version(version: str, upstream: str) -> None:
    status = stanza("nova", "1") + stanza("nova-compute", version) + stanza("nova-common", "9")
    assert dpkg_version(status, ("nova-compute", "nova-common")) == upstream


def test_what_dpkg_only_remembers_is_not_installed() -> None:
    gone = stanza("nova-compute", "2:31.0.0-7", status="deinstall ok config-files")
    assert dpkg_version(gone, ("nova-compute", "nova-common")) == ""
    assert dpkg_version(gone + stanza("nova-common", "2:32.0.0-1"), ("nova-compute", "nova-common")) == "32.0.0"
    assert dpkg_version("Package: nova-compute\nStatus: install ok installed\n", ("nova-compute",)) == ""


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("package openstack-nova-compute is not installed\n33.0.1 1.el9\n33.0.1 1.el9\n", "33.0.1"),
        ("33.1.0 0.20260601.git\n", "33.1.0-0.20260601.git"),
        ("package python3-nova is not installed\n", ""),
        ("3 of them are missing\n", ""),
        ("", ""),
    ],
)
def test_rpm_says_of_each_what_it_has(answer: str, version: str) -> None:
    assert rpm_version(answer) == version


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["nova", "nova-31.3.1.dist-info", "nova_powervm-9.0.0.dist-info"], "31.3.1"),
        (["nova-26.2.2.egg-info"], "26.2.2"),
        (["Nova-26.2.2-py3.11.egg-info"], "26.2.2"),
        (["nova-33.1.0.dev123.dist-info"], "33.1.0.dev123"),
        (["nova-32.0.0.dist-info", "nova-33.0.0.dist-info"], ""),
        (["nova-32.0.0.dist-info", "nova-32.0.0.dist-info"], "32.0.0"),
        (["nova", "novaclient-18.0.dist-info"], ""),
    ],
)
def test_pythons_metadata_is_a_folders_name(names: list[str], version: str) -> None:
    assert dist_version(names, "nova") == version


def docker(labels: object, name: object = "/nova_compute") -> str:
    return json.dumps({"Name": name, "Config": {"Labels": labels}})


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (docker({"kolla_version": "22.0.0"}), "22.0.0"),
        (docker({"kolla_version": "22.0.0"}, "/other"), ""),
        (docker({"kolla_version": "22.0.0"}, 7), ""),
        (docker({"kolla_version": 22}), ""),
        (docker({"kolla_version": "2" * 65}), ""),
        (docker(["kolla_version"]), ""),
        (docker(None), ""),
        ("[]", ""),
        ("{", ""),
        ("[" * 100_000, ""),
    ],
)
def test_docker_keeps_a_containers_labels_in_its_file(text: str, label: str) -> None:
    assert docker_label(text, "nova_compute", "kolla_version") == label


@pytest.mark.parametrize(
    ("listed", "image"),
    [
        ([{"names": ["a"], "image": "00"}, {"names": ["nova_compute"], "image": IMAGE}], IMAGE),
        ([{"names": ["nova_compute"], "image": "../../../etc"}], ""),
        ([{"names": ["nova_compute"]}], ""),
        ([{"names": "nova_compute", "image": IMAGE}], ""),
        ([{"names": [["nova_compute"]], "image": IMAGE}, 7], ""),
        ({}, ""),
    ],
)
def test_podman_lists_the_image_of_a_container(listed: object, image: str) -> None:
    assert podman_image(json.dumps(listed), "nova_compute") == image


def test_podman_keeps_an_images_labels_in_a_file_named_by_its_digest() -> None:
    assert podman_config_file("0123") == "=c2hhMjU2OjAxMjM="
    assert podman_label(json.dumps({"config": {"Labels": {"kolla_version": "21.0.0"}}}), "kolla_version") == "21.0.0"
    assert podman_label(json.dumps({"config": []}), "kolla_version") == ""
