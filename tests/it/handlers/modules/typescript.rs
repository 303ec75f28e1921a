//! TypeScript: types are taken out, places stay.

use serde_json::json;

use super::{refusal_of, result_of, run_handler, write_all};
use crate::harness::{Server, field};

#[test]
fn files_with_types_run_in_every_kind_of_module() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "reports/sales.ts",
                "import type { Row } from '../lib/types.ts';\nimport { total } from '../lib/total.js';\n
                 interface Params { rows: Row[] }
                 export default async (params: Params, ctx: { attempt: number }): Promise<number> =>
                   total((params.rows ?? [{ n: 2 } as Row, { n: 3 }]) satisfies Row[]) * ctx.attempt;",
            ),
            ("lib/types.ts", "export interface Row { n: number }"),
            (
                "lib/total.ts",
                "import type { Row } from './types';\nexport function total<T extends Row>(rows: T[]): number { return rows.reduce((sum, row) => sum + row!.n, 0) }",
            ),
            (
                "common.ts",
                "const { double }: { double(n: number): number } = require('./lib/double.cts');\nmodule.exports = (): number => double(4)",
            ),
            ("lib/double.cts", "exports.double = (n: number): number => n * 2"),
            ("strict.mts", "export default (): string => import.meta.url"),
        ],
    );
    assert_eq!(result_of(&server, "reports/sales"), 5);
    assert_eq!(result_of(&server, "common"), 8);
    assert_eq!(result_of(&server, "strict"), "file:///tasks/strict.mts");
}

#[test]
fn errors_have_the_place_in_the_file_as_it_was_written() {
    let server = Server::start();
    server.home.write("throws.ts", "type Long = { a: string,\n  b: number };\nexport default (x: Long): void => { const y = x as any; y.a.b.c; };");
    let execution = run_handler(&server, "throws");
    assert_eq!(
        field(&execution, ["reason", "stack"]),
        [json!("exception"), json!("at default (tasks/throws.ts:3:61)")],
        "{execution}"
    );
}

#[test]
fn what_types_alone_cannot_say_is_refused_with_what_to_write_instead() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("enums.ts", "export default () => 1;\n\n  enum Color { Red }"),
            ("fields.ts", "class A { constructor(readonly a: string) {} }\nexport default () => 1;"),
            ("broken.ts", "export default (): => 1;"),
            (
                "uses.js",
                "module.exports = () => { try { require('./enums.ts') } catch (error) { return error.message } }",
            ),
        ],
    );
    assert_eq!(
        refusal_of(&server, "enums"),
        "tasks/enums.ts:3:3: SyntaxError: an enum is not supported: use an object, as in const Color = { Red: 0, Green: 1 } as const"
    );
    assert!(refusal_of(&server, "fields").contains("declare the field and assign it in the constructor"));
    assert!(refusal_of(&server, "broken").starts_with("tasks/broken.ts:1:"));
    assert!(result_of(&server, "uses").to_string().contains("tasks/enums.ts:3:3"));
}

#[test]
fn slips_between_the_kinds_of_files_are_told_with_the_way_to_write_it() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("both.js", "import path from 'node:path';\nmodule.exports = () => path.sep;"),
            ("late.mjs", "export default () => require('node:path');"),
            ("types.ts", "export interface Row { n: number }"),
            ("interface.ts", "import { Row } from './types.ts';\nexport default (row: Row) => row;"),
            ("decorated.js", "const log = (x) => x;\n@log class A {}\nmodule.exports = () => 1;"),
            (
                "decorated-too.ts",
                "const log = (x: unknown): any => x;\n@log class A {}\nexport default () => 1;",
            ),
        ],
    );
    let told = refusal_of(&server, "both");
    assert!(told.contains("module is not defined. A file with import or export"), "{told}");
    assert!(told.contains("write export default instead of module.exports ="), "{told}");
    let thrown = run_handler(&server, "late");
    assert!(thrown["error"].to_string().contains("write import instead of require"), "{thrown}");
    let told = refusal_of(&server, "interface");
    assert!(told.contains("does not provide an export named 'Row'"), "{told}");
    assert!(told.contains("write import type { … }"), "{told}");
    for handler in ["decorated", "decorated-too"] {
        let told = refusal_of(&server, handler);
        assert!(
            told.contains(":2:1: ") && told.contains("Decorators are no part of JavaScript yet"),
            "{told}"
        );
    }
}

#[test]
fn two_files_of_one_name_are_an_error_that_names_both() {
    let server = Server::start();
    write_all(&server, &[("twice.js", "module.exports = () => 1"), ("twice.ts", "module.exports = () => 1")]);
    let error = refusal_of(&server, "twice");
    assert!(error.contains("tasks/twice.js and tasks/twice.ts"), "{error}");
    let listed = server.client().get("/admin/handlers").expect(200);
    assert_eq!(listed["handlers"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["handlers"][0]["error"], json!(error));
}
