"""Runs the program of an image, unpacked into a folder, as the image says: its user, environment,
entry point. `run_image.py ROOT IMAGE`, where IMAGE is what `buildah inspect` tells of the image."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 60


def main(root, image_file):
    with open(image_file) as file:
        config = json.load(file)["OCIv1"]["config"]
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    # What `docker run` is told: the templates, and where to listen on a machine that has other
    # things to do.
    shutil.copytree("templates", os.path.join(root, "templates"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment["TOWPATH_LISTEN"] = f"127.0.0.1:{port}"
    # An App, without which it would only show how to register one. Nobody knows it, nobody is asked.
    environment["GITHUB_APP_ID"] = "1"
    environment["GITHUB_APP_PRIVATE_KEY"] = run(["openssl", "genrsa", "2048"], None)
    environment["GITHUB_WEBHOOK_SECRET"] = "a secret of more than sixteen letters"
    environment["GITHUB_API_URL"] = "http://127.0.0.1:9"
    enter = ["chroot", f"--userspec={config['User']}", root]
    environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    program = config["Entrypoint"]

    help_text = run(enter + program + ["serve", "--help"], environment)
    assert "TOWPATH_DATABASE_URL" in help_text, help_text
    with subprocess.Popen(enter + program + config["Cmd"], env=environment) as service:
        try:
            await_answer(service, f"http://127.0.0.1:{port}/healthz")
        finally:
            service.send_signal(signal.SIGTERM)
        ended = service.wait(PATIENCE)
    assert ended == 0, f"it ended with {ended}"

    user = int(config["User"].split(":")[0])
    written = sorted(owned_by(user, root))
    strays = [path for path in written if not path.startswith(("/data", "/tmp/"))]
    assert not strays, f"written outside /data and /tmp: {strays}"
    assert "/data/towpath.db" in written, written
    print(f"It runs as {config['User']}, answers, ends when it is told to; it has written {written}.")


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def await_answer(service, url):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert service.poll() is None, f"it ended with {service.returncode}"
        try:
            with urllib.request.urlopen(url) as answer:
                assert answer.status == 200, answer.status
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def owned_by(user, root):
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.lstat(path).st_uid == user:
                yield "/" + os.path.relpath(path, root)


main(*sys.argv[1:])
