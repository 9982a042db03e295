import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import path from "node:path";
import { md, pki } from "node-forge";

/** A certificate and its private key, as paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority of a test's own, as a closed network has one. */
export interface Authority {
  /** Path of its certificate. */
  readonly ca: string;
  /** Signs a certificate for this host, or this person. */
  readonly sign: (name: string) => CertificateFiles;
}

/** Makes an authority of this name, with its files in the folder. */
export function makeAuthority(folder: string, name: string): Authority {
  const own = keyPair();
  const file = (kind: string, pem: string) => {
    const written = path.join(folder, `${name}-${kind}.pem`);
    // lib/pq and the server refuse a key that others may read.
    writeFileSync(written, pem, { mode: 0o600 });
    return written;
  };
  const signed = (subject: string, publicKey: pki.PublicKey, extensions: object[]) => {
    const certificate = pki.createCertificate();
    certificate.publicKey = publicKey;
    certificate.serialNumber = "01";
    const hourMs = 3_600_000;
    certificate.validity.notBefore = new Date(Date.now() - hourMs);
    certificate.validity.notAfter = new Date(Date.now() + 24 * hourMs);
    certificate.setSubject([{ name: "commonName", value: subject }]);
    certificate.setIssuer([{ name: "commonName", value: name }]);
    certificate.setExtensions(extensions);
    certificate.sign(own.privateKey, md.sha256.create());
    return pki.certificateToPem(certificate);
  };
  const authority = [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true },
  ];
  return {
    ca: file("ca", signed(name, own.publicKey, authority)),
    sign(whom) {
      const { publicKey, privateKey } = keyPair();
      const altName = isIP(whom) === 0 ? { type: 2, value: whom } : { type: 7, ip: whom };
      const names = [{ name: "subjectAltName", altNames: [altName] }];
      return {
        cert: file(`${whom}-cert`, signed(whom, publicKey, names)),
        key: file(`${whom}-key`, pki.privateKeyToPem(privateKey)),
      };
    },
  };
}

function keyPair(): pki.rsa.KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return {
    publicKey: pki.publicKeyFromPem(publicKey),
    privateKey: pki.privateKeyFromPem(privateKey),
  };
}
