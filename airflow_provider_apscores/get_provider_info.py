"""The provider's metadata: hook, connection form, operators, assets, options. Imports nothing but the version.

Airflow 3.2 reads the connection form from here (``ui-field-behaviour``, ``conn-fields``) and from the hook, Airflow 3.3
from here only. Airflow 2.11 to 3.1 ask the hook, which reads the same dict.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_apscores import __version__

PACKAGE = "airflow_provider_apscores"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the shape of Airflow's ``provider.yaml``."""
    return {
        "package-name": "airflow-provider-apscores",
        "name": "College Board AP Scores",
        "description": "AP Higher Education score reports of the College Board, delivered without loss.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "College Board AP Scores",
                "external-doc-url": "https://highered.collegeboard.org/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "College Board AP Scores", "python-modules": [f"{PACKAGE}.hooks.apscores"]}],
        "operators": [
            {
                "integration-name": "College Board AP Scores",
                "python-modules": [
                    f"{PACKAGE}.operators.credit",
                    f"{PACKAGE}.operators.current_state",
                    f"{PACKAGE}.operators.download",
                    f"{PACKAGE}.operators.hand_off",
                    f"{PACKAGE}.operators.load",
                    f"{PACKAGE}.operators.parse",
                    f"{PACKAGE}.operators.purge",
                    f"{PACKAGE}.operators.reconcile",
                    f"{PACKAGE}.operators.record",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "College Board AP Scores",
                "python-modules": [
                    f"{PACKAGE}.sensors.new_reports",
                    f"{PACKAGE}.sensors.notification_email",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "College Board AP Scores",
                "python-modules": [
                    f"{PACKAGE}.triggers.new_reports",
                    f"{PACKAGE}.triggers.new_reports_event",
                    f"{PACKAGE}.triggers.notification_email",
                ],
            }
        ],
        # Airflow 3 reads the first, 2.11 the second.
        "asset-uris": asset_uris(),
        "dataset-uris": asset_uris(),
        "extra-links": [f"{PACKAGE}.operators.links.CampusPageLink", f"{PACKAGE}.operators.links.CollegeBoardLink"],
        "connection-types": [connection_type()],
        # Airflow 3.2 and later: `airflow apscores`.
        "cli": [f"{PACKAGE}.cli.definition.get_apscores_cli_commands"],
        "config": {
            "apscores": {
                "description": "Options of the AP Scores provider.",
                "options": {
                    "shared_folders": {
                        "description": (
                            "Local folders that every worker mounts, separated by commas. Tasks warn about other local "
                            "destinations when the executor runs tasks on several machines.\n"
                        ),
                        "version_added": __version__,
                        "type": "string",
                        "example": "/srv/ap-scores",
                        "default": "",
                    }
                },
            }
        },
    }


def asset_uris() -> list[dict[str, Any]]:
    """Return the scheme of this provider's assets, and the functions that Airflow calls for their URIs."""
    return [
        {
            "schemes": ["apscores"],
            "handler": f"{PACKAGE}.assets.sanitize_uri",
            "factory": f"{PACKAGE}.assets.create_asset",
            "to_openlineage_converter": f"{PACKAGE}.assets.convert_asset_to_openlineage",
        }
    ]


def connection_type() -> dict[str, Any]:
    """Return the connection type ``apscores`` and its form."""
    return {
        "connection-type": "apscores",
        "hook-class-name": f"{PACKAGE}.hooks.apscores.APScoresHook",
        "hook-name": "College Board AP Scores",
        "ui-field-behaviour": {
            # Not the port: Airflow 3.3.2 sends 0 for an empty one, and then refuses to test a stored connection.
            # Airflow 3 shows the box of the raw extra anyway.
            "hidden-fields": ["schema", "extra"],
            "relabeling": {"host": "Base URL", "login": "E-mail"},
            "placeholders": {
                "host": "https://… (leave empty for the College Board's production service)",
                "port": "443",
                "login": "registrar@college.edu",
                "password": "the password of the College Board professional account",
                # Airflow 3.3 shows placeholders of the standard fields only, 2.11 these as well.
                "encoding": "plain",
                "di_codes": "4866, 0417",
                "timeout": "120",
                "verify": "true",
                "proxy": "http://proxy.college.edu:3128",
            },
        },
        "conn-fields": {
            # Not "password_encoding": Airflow masks the value of a field with "password" in its name.
            "encoding": {
                "label": "Password encoding",
                "description": (
                    "plain: the password is stored as you type it in the portal; the provider encodes it. "
                    "base64: the stored value is already the Base64 form."
                ),
                "schema": {"type": ["string", "null"], "enum": ["plain", "base64"], "default": "plain"},
            },
            "di_codes": {
                "label": "Campuses (DI codes)",
                "description": (
                    "The campuses of this account: DI codes of four digits with their leading zeros, separated by "
                    "commas, at most 20. Example: 4866, 0417. Other campuses are refused before anything is sent."
                ),
                "schema": {"type": ["string", "null"]},
            },
            "timeout": {
                "label": "Time-out (seconds)",
                "description": "Seconds to wait for a whole answer. The default is 120: large files take a while.",
                "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600, "default": 120},
            },
            "verify": {
                "label": "Verify certificates",
                "description": "true, false (for trials only), or the path of a CA bundle on the workers.",
                "schema": {"type": ["string", "null"], "default": "true"},
            },
            "proxy": {
                "label": "Proxy",
                "description": (
                    "Address of an HTTP proxy, for example http://proxy.college.edu:3128. "
                    "Empty: HTTPS_PROXY of the workers is used."
                ),
                "schema": {"type": ["string", "null"]},
            },
            "trusted_hosts": {
                "label": "Trusted hosts",
                "description": (
                    "IP addresses of a private network, separated by commas, where files may be fetched from. "
                    "Empty for the College Board's service."
                ),
                "schema": {"type": ["string", "null"]},
            },
        },
    }
