"""The hunt: simulated runs by the thousand, each judged, and what fails made small."""
