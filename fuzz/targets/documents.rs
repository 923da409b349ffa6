//! A document of which it is known what it says: rendered, it is read back exactly, or refused, and
//! refused only where a value cannot stand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use towpath_fuzz::document::Document;
use towpath_fuzz::rendered;

fuzz_target!(|document: Document| {
    let case = document.case();
    let file = rendered(case.name, &case.template, &case.context)
        .unwrap_or_else(|found| panic!("not a template: {found}\n{}", case.template));
    match file {
        Ok(file) => case.compare(&file).unwrap_or_else(|difference| {
            panic!("{difference}\n--- template\n{}--- file\n{file}", case.template)
        }),
        Err(refusal) => assert!(
            !case.must_be_taken,
            "refused: {refusal}\n--- template\n{}--- values\n{}",
            case.template, case.context
        ),
    }
});
