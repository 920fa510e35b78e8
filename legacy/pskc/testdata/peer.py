"""Drives python-pskc (Debian package python3-pskc) for the tests.

peer.py write FORM SECRETHEX OUT   writes a token file with one TOTP and one HOTP key
peer.py read FILE                  prints one line of JSON a key

The key comes from the variable PSKC_KEY (hex), a pass phrase from
PSKC_PASSPHRASE.
"""

import json
import os
import sys

from pskc import PSKC


def write(form, secret, out):
    pskc = PSKC()
    secret = bytes.fromhex(secret)
    pskc.add_key(id='t1', algorithm='urn:ietf:params:xml:ns:keyprov:pskc:totp', secret=secret,
                 serial='700001', manufacturer='Contoso (synthetic)', model='M <&> "1"', issuer='Contoso',
                 response_length=6, response_encoding='DECIMAL', algorithm_suite='HMAC-SHA256',
                 time_interval=60, time_offset=0, time_drift=3)
    pskc.add_key(id='h1', algorithm='urn:ietf:params:xml:ns:keyprov:pskc:hotp', secret=secret,
                 serial='700002', response_length=8, response_encoding='DECIMAL', counter=300)
    kind, _, rest = form.partition(':')
    algorithm, _, fields = rest.partition('+')
    fields = ['secret'] + ([fields] if fields else [])
    if kind == 'key':
        pskc.encryption.setup_preshared_key(key=bytes.fromhex(os.environ['PSKC_KEY']), algorithm=algorithm,
                                            key_name='shared', fields=fields)
    elif kind == 'phrase':
        algorithm, _, prf = algorithm.partition('/')
        pskc.encryption.setup_pbkdf2(os.environ['PSKC_PASSPHRASE'], algorithm=algorithm, iterations=12345,
                                     prf=prf or None, key_name='phrase', fields=fields)
    elif kind == 'mac256':
        pskc.mac.setup(algorithm='hmac-sha256')
        pskc.encryption.setup_preshared_key(key=bytes.fromhex(os.environ['PSKC_KEY']), algorithm=algorithm,
                                            key_name='shared', fields=fields)
    pskc.write(out)


def read(name):
    pskc = PSKC(name)
    if 'PSKC_KEY' in os.environ:
        pskc.encryption.key = bytes.fromhex(os.environ['PSKC_KEY'])
    if 'PSKC_PASSPHRASE' in os.environ:
        pskc.encryption.derive_key(os.environ['PSKC_PASSPHRASE'])
    for key in pskc.keys:
        print(json.dumps({
            'ID': key.id, 'Issuer': key.issuer or '', 'UserID': key.userid or '', 'Serial': key.serial or '',
            'Manufacturer': key.manufacturer or '', 'Model': key.model or '',
            'Algorithm': key.algorithm, 'Suite': key.algorithm_suite or '', 'Digits': key.response_length or 0,
            'Interval': key.time_interval or 0, 'Drift': key.time_drift or 0, 'Counter': key.counter or 0,
            'Expiry': key.policy.expiry_date.isoformat() if key.policy.expiry_date else '',
            'Secret': key.secret.hex()}))


if __name__ == '__main__':
    {'write': write, 'read': read}[sys.argv[1]](*sys.argv[2:])
