// A rule for secretlint 11 and later: `npm install --save-dev ./leaks/secretlint-rule-pat`, and
// {"id": "secretlint-rule-pat"} among the rules of .secretlintrc.json.

const PREFIXED = /pat_[0-9A-Za-z]{43}[0-4][0-9A-Za-z]{5}\b/g;
// The base64 of twelve digits, a colon and twenty bytes.
const ATLASSIAN =
    /(?:(?:[MN][DTjz]|O[DT])[AEIMQUYcgk][wxyz0-5]){4}O[g-v][0-9A-Za-z+/]{26}(?![0-9A-Za-z+/])/g;

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_LEN = 6;

const messages = {
    PREFIXED: { en: () => "found a personal access token" },
    ATLASSIAN: { en: () => "found a personal access token in Atlassian's layout" },
};

export const creator = {
    messages,
    meta: {
        id: "secretlint-rule-pat",
        recommended: false,
        type: "scanner",
        supportedContentTypes: ["text"],
    },
    create(context) {
        const translate = context.createTranslator(messages);
        const report = (id, { 0: token, index }) =>
            context.report({ message: translate(id), range: [index, index + token.length] });
        return {
            file({ content }) {
                for (const found of content.matchAll(PREFIXED)) {
                    if (hasChecksum(found[0])) {
                        report("PREFIXED", found);
                    }
                }
                for (const found of content.matchAll(ATLASSIAN)) {
                    report("ATLASSIAN", found);
                }
            },
        };
    },
};

// Whether the last six digits are the CRC-32 of all characters before them, in base62.
function hasChecksum(token) {
    const digits = [...token.slice(-CHECKSUM_LEN)];
    const checksum = digits.reduce((number, digit) => number * 62 + BASE62.indexOf(digit), 0);
    return crc32(token.slice(0, -CHECKSUM_LEN)) === checksum;
}

function crc32(text) {
    let crc = ~0;
    for (const character of text) {
        crc ^= character.charCodeAt(0);
        for (let bit = 0; bit < 8; bit++) {
            crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc >>> 0;
}
